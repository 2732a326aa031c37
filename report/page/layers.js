"use strict";
// What deck.gl draws. A layer's id ends with the name of the view it belongs to, or with "both".

const INK = {
  idle: [200, 210, 228, 190], unlinked: [190, 95, 90, 200], relay: [120, 205, 255, 255], sensing: [72, 220, 150, 255], computing: [255, 176, 66, 255],
  model: [196, 148, 255, 255], data: [255, 236, 120, 255], link: [150, 180, 230, 60], path: [255, 255, 255, 70],
  station: [255, 120, 150, 255], contact: [255, 120, 150, 200], space: [11, 17, 32, 170],
};
const LOST = [235, 60, 70, 255];
const LOADS = [[70, 190, 220], [120, 220, 120], [250, 215, 80], [250, 140, 60], [235, 60, 70]];

// Colour of a link shared by `load` packets, of at most `most`.
function loadColour(load, most, alpha = 255) {
  const at = most <= 1 ? 0 : (Math.min(load, most) - 1) / (most - 1) * (LOADS.length - 1);
  const low = Math.min(Math.floor(at), LOADS.length - 2);
  return [...LOADS[low].map((value, i) => value + (LOADS[low + 1][i] - value) * (at - low)), alpha];
}

const overEarth = { depthWriteEnabled: false };

const ATMOSPHERE = [[1.05, 18], [1.025, 34]]; // radius, alpha

// part: says what is being painted (see painting.js).
function earthLayers(earth, scene, altitude, sun, part) {
  const circles = scene.stations.map((station) => horizonCircle(station, scene.mask_deg, altitude));
  return [
    new deck.ScatterplotLayer({
      id: "atmosphere-both", data: ATMOSPHERE, billboard: true, radiusUnits: "common", getPosition: [0, 0, 0],
      getRadius: ([radius]) => EARTH * radius, getFillColor: ([, alpha]) => [110, 170, 255, alpha],
      parameters: overEarth,
    }),
    new BallLayer({
      id: "earth-both", picture: earth.picture, sun, radius: EARTH, pickable: true,
      isClear: () => part() === PARTS.moving,
    }),
    new StrokesLayer({
      id: "graticule-both", data: strokesAlong(earth.graticule), getColor: [255, 255, 255, 30], getWidth: 1.5,
      parameters: overEarth,
    }),
    new StrokesLayer({
      id: "horizons-both", data: strokesAlong(circles), getColor: [...INK.station.slice(0, 3), 95], getWidth: 1.5,
      parameters: overEarth,
    }),
  ];
}

// Stations on the near side of the Earth: drawn over it, for a flat mark on a sphere would sink into it.
function stationLayers(places) {
  const parameters = { ...overEarth, depthCompare: "always" };
  return [
    new deck.ScatterplotLayer({
      id: "stations-both", data: places, billboard: true, radiusUnits: "pixels", pickable: true, parameters,
      getPosition: (place) => place.position, getRadius: 4, getFillColor: INK.station,
    }),
    new deck.TextLayer({
      id: "station-names-both", data: places, getPosition: (place) => place.position, parameters,
      getText: (place) => place.name, getSize: 11, getColor: [255, 205, 215], getTextAnchor: "start",
      getPixelOffset: [7, 0], fontFamily: "system-ui, sans-serif", characterSet: "auto",
      background: true, getBackgroundColor: [...INK.space.slice(0, 3), 120], backgroundPadding: [2, 0],
    }),
  ];
}

function meshOfLinks(world, positions) {
  const n = world.links.length / 2;
  const ends = [new Float32Array(3 * n), new Float32Array(3 * n)];
  for (let i = 0; i < n; i++) {
    for (let end = 0; end < 2; end++) ends[end].set(pointAt(positions, world.links[2 * i + end]), 3 * i);
  }
  return new StrokesLayer({
    id: "links-both", data: strokes(...ends), pickable: true, parameters: overEarth,
    getColor: [...INK.link.slice(0, 3), INK.link[3] * Math.min(1, Math.sqrt(900 / n))], // many links, faint lines
  });
}

// Roles of all satellites: sensing and computing from the tasks, relays from the paths of the router shown. A satellite
// without any link has failed, or has nobody in reach.
function rolesOf(world, replay, n) {
  const roles = new Array(n).fill("unlinked");
  for (const satellite of world.links) roles[satellite] = "idle";
  if (replay) for (const satellite of replay.stop) roles[satellite] = "relay";
  const half = world.present.length / 2;
  for (let p = 0; p < half; p++) {
    if (!world.present[p]) continue;
    roles[world.source[p]] = "computing";
    roles[world.destination[p]] = "sensing";
  }
  return roles;
}

const RADII = { idle: 1.7, unlinked: 2.4, relay: 3, sensing: 5.5, computing: 7 };

function fleetAttributes(roles) {
  const colours = new Uint8Array(4 * roles.length);
  const radii = new Float32Array(roles.length);
  roles.forEach((role, i) => {
    colours.set(INK[role], 4 * i);
    radii[i] = role === "idle" && roles.length > 800 ? 1.1 : RADII[role];
  });
  return {
    length: roles.length,
    attributes: {
      getFillColor: colourAttribute(colours), getRadius: attribute(radii, 1), getPickingColor: attribute(pickingColours(roles.length), 4),
    },
  };
}

// Attributes of many things are typed arrays that deck.gl hands to the graphics card as they are. It compares by identity:
// a wrapper that is passed again is not uploaded again, and a layer that is passed again is not looked into.
const attribute = (value, size, more = {}) => ({ value, size, ...more });
const colourAttribute = (value) => attribute(value, 4, { normalized: true });

// looks: from `fleetAttributes`; positions: an attribute.
function fleetLayer(positions, looks, view) {
  return new DotsLayer({
    id: `fleet-${view}`, pickable: true, parameters: overEarth,
    data: { length: looks.length, attributes: { getPosition: positions, ...looks.attributes } },
  });
}

// names: [{ role, text, satellite }], always the same array while only time goes on; then only positions are asked for,
// and colours where somebody else is `hidden` (a set of satellites).
function nameLayer(names, positions, time, hidden, view) {
  const shown = (one, colour) => [...colour.slice(0, 3), hidden.has(one.satellite) ? 0 : colour[3]];
  const whose = [...hidden].join();
  return new deck.TextLayer({
    id: `names-${view}`, data: names, getPosition: (one) => pointAt(positions, one.satellite),
    getText: (one) => one.text, getSize: 11, getColor: (one) => shown(one, INK[one.role]), getPixelOffset: [0, -13],
    background: true, getBackgroundColor: (one) => shown(one, INK.space), backgroundPadding: [3, 1],
    fontFamily: "system-ui, sans-serif", characterSet: "auto", parameters: { ...overEarth, depthCompare: "always" },
    updateTriggers: { getPosition: time, getColor: whose, getBackgroundColor: whose },
  });
}

// Where links are: `links` have an end `a` and an end `b`.
function linkStrokes(links, positions) {
  return strokes(...["a", "b"].map((end) => new Float32Array(links.flatMap((link) => pointAt(positions, link[end])))));
}

// loads: [L] packets on each link. lines: from `linkStrokes`.
function loadLayer(loads, lines, most, view) {
  const colours = new Uint8Array(4 * loads.length);
  const widths = new Float32Array(loads.length);
  loads.forEach((load, i) => {
    colours.set(load ? loadColour(load, most) : INK.path, 4 * i);
    widths[i] = load ? 1.5 + 1.2 * Math.sqrt(load) : 1;
  });
  const [ofCorners, wide] = [atCorners(colours, 4), atCorners(widths, 1)];
  return new StrokesLayer({
    id: `loads-${view}`, pickable: true, parameters: overEarth,
    data: {
      length: lines.length,
      attributes: { ...lines.attributes, getColor: colourAttribute(ofCorners), getWidth: attribute(wide, 1) },
    },
  });
}

// packets: [{ p, state, kind, radius, position }]; marked: number of the packet that stands out, or null.
function packetLayer(packets, marked, view) {
  const n = packets.length;
  const [positions, radii, edges] = [3, 1, 1].map((size) => new Float32Array(size * n));
  const colours = new Uint8Array(4 * n);
  packets.forEach((one, i) => {
    positions.set(one.position, 3 * i);
    radii[i] = one.radius + (one.p === marked ? 3 : 0);
    edges[i] = one.p === marked ? 3 : 1;
    colours.set(one.state === PACKET_STATES.lost ? LOST : INK[one.kind], 4 * i);
  });
  return new deck.ScatterplotLayer({
    id: `packets-${view}`, billboard: true, radiusUnits: "pixels", pickable: true, stroked: true,
    lineWidthUnits: "pixels", getLineColor: [11, 17, 32, 255], parameters: overEarth,
    data: {
      length: n,
      attributes: {
        getPosition: attribute(positions, 3), getRadius: attribute(radii, 1), getLineWidth: attribute(edges, 1),
        getFillColor: colourAttribute(colours),
      },
    },
  });
}

function pathLayer(path, view) {
  return new deck.PathLayer({
    id: `marked-${view}`, data: [path], getPath: (points) => points, widthUnits: "pixels",
    getWidth: 4, billboard: true, getColor: [255, 255, 255, 210], parameters: overEarth,
  });
}

// ends: [from, to] of the lines, Float32Arrays [N * 3].
function contactLayer(ends) {
  return new StrokesLayer({
    id: "contacts-both", data: strokes(...ends), getWidth: 2, getColor: INK.contact, parameters: overEarth,
  });
}
