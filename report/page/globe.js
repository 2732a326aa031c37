"use strict";
// The globe: one canvas, two views that turn together, and what is on them at the time of the clock.

const FIELD_OF_VIEW = 28; // degrees, upright
const ROLE_WORDS = {
  sensing: "sensing", computing: "computing", relay: "relay on a path", idle: "no part in these tasks",
  unlinked: "no link in this slot",
};
const MODES = { packets: "packets", orbits: "orbits" };

class Globe {
  constructor(scene, stage, earth) {
    this.scene = scene;
    this.stage = stage;
    this.earth = earth;
    this.n = scene.plane.length;
    this.choice = { world: 0, left: scene.left, right: scene.right, mode: MODES.packets, whole: false, names: true };
    this.time = 0;
    this.marked = null;
    this.positions = new Float32Array(3 * this.n);
    this.awake = false;
    this.measure();
    this.places = scene.stations.map((station) => ({
      ...station, position: onSphere(station.latitude_deg, station.longitude_deg, EARTH),
    }));
    this.painting = new Painting(stage);
    this.deck = new deck.Deck({
      parent: stage,
      views: this.views(),
      viewState: {},
      controller: false,
      touchAction: "pan-y", // a finger that moves up or down scrolls the page
      // A pointer finds everything, whatever is painted.
      layerFilter: ({ layer, viewport, isPicking }) => (isPicking || this.painting.shows(layer)) &&
        (layer.id.includes("-both") || layer.id.includes(`-${viewport.id}`)),
      ...this.painting.props,
      onViewStateChange: ({ viewState }) => {
        this.painting.turn();
        this.look(viewState);
      },
      getTooltip: (info) => this.tooltip(info),
      onError: (error) => { throw error; },
      layers: [],
    });
    this.painting.deck = this.deck;
    new ResizeObserver(() => {
      this.measure();
      this.deck.setProps({ views: this.views() });
      this.fit();
    }).observe(stage);
    // The wheel belongs to the page until somebody has clicked on the globe, whose canvas then has the focus.
    stage.addEventListener("focusin", () => this.wake(true));
    stage.addEventListener("focusout", (event) => this.wake(stage.contains(event.relatedTarget)));
    this.show({});
  }

  get world() { return this.scene.worlds[this.choice.world]; }
  get sides() { return this.choice.mode === MODES.packets ? ["left", "right"] : ["left"]; }
  replay(side) { return this.world.replays[this.choice[side]]; }

  // Seconds that the clock runs: until the last packet has arrived, or for all keyframes.
  get duration() {
    if (this.choice.mode === MODES.orbits) return this.world.keyframe_s[this.world.keyframe_s.length - 1];
    return Math.max(...this.sides.map((side) => lastEvent(this.world, this.replay(side))));
  }

  wake(awake) {
    this.awake = awake;
    this.deck.setProps({ views: this.views() });
  }

  // The stage in pixels, asked for only when it changes: an answer makes the browser lay out the page.
  measure() { this.size = { width: this.stage.clientWidth, height: this.stage.clientHeight }; }

  get stacked() { return this.size.width < 640 && this.sides.length === 2; }

  views() {
    const share = `${100 / this.sides.length}%`;
    return this.sides.map((side, i) => new deck.OrbitView({
      id: side, orbitAxis: "Z", fovy: FIELD_OF_VIEW,
      x: this.stacked ? 0 : `${(100 * i) / this.sides.length}%`, width: this.stacked ? "100%" : share,
      y: this.stacked ? `${50 * i}%` : 0, height: this.stacked ? "50%" : "100%",
      controller: {
        dragPan: false, keyboard: false, inertia: 250, scrollZoom: this.awake && { speed: 0.004, smooth: true },
      },
    }));
  }

  // Zoom at which the constellation fills the view; the user's zoom is kept relative to it.
  get fittingZoom() {
    const width = this.size.width / (this.stacked ? 1 : this.sides.length);
    const height = this.size.height / (this.stacked ? 2 : 1);
    return Math.log2((0.86 * Math.min(width, height)) / (2 * this.outerRadius));
  }

  fit() { this.look({ ...this.view, zoom: this.fittingZoom }); }

  look(view) {
    this.view = {
      ...view, target: [0, 0, 0], minZoom: this.fittingZoom - 1, maxZoom: this.fittingZoom + 4,
      minRotationX: -89, maxRotationX: 89, transitionDuration: 0,
    };
    if (this.layers) this.draw(this.time);
    this.deck.setProps({ viewState: Object.fromEntries(this.sides.map((side) => [side, this.view])) });
  }

  get camera() {
    const { rotationX, rotationOrbit, zoom } = this.view;
    const height = this.size.height / (this.stacked ? 2 : 1);
    return onSphere(rotationX, -90 - rotationOrbit, height / 2 / Math.tan((FIELD_OF_VIEW * Math.PI) / 360) / 2 ** zoom);
  }

  // Stations that the camera sees.
  get nearPlaces() {
    const { camera } = this;
    const near = this.places.filter((place) => !behindEarth(place.position, camera));
    const same = this.near?.length === near.length && near.every((place, i) => place === this.near[i]);
    return same ? this.near : (this.near = near);
  }

  turn(east, up, zoom) {
    this.painting.turn();
    this.look({
      ...this.view, rotationOrbit: this.view.rotationOrbit + east,
      rotationX: Math.min(Math.max(this.view.rotationX + up, -89), 89), zoom: this.view.zoom + zoom,
    });
  }

  // Turn to where the router on the right has its traffic: the middle of its links, the more shared the more they count.
  face() {
    const middle = [0, 0, 0];
    for (const { a, b, total } of usedLinks(this.world, this.replay("right"))) {
      for (const satellite of [a, b]) {
        pointAt(this.still, satellite).forEach((value, i) => { middle[i] += total ** 2 * value; });
      }
    }
    const longitude = (Math.atan2(middle[1], middle[0]) * 180) / Math.PI;
    const latitude = (Math.atan2(middle[2], Math.hypot(middle[0], middle[1])) * 180) / Math.PI;
    this.look({
      zoom: this.fittingZoom, rotationOrbit: -90 - longitude, rotationX: Math.min(Math.max(latitude, -50), 50),
    });
  }

  // Choose a world, routers, a mode; then everything that does not change with time is made anew.
  show(choice) {
    const before = this.choice;
    this.choice = { ...this.choice, ...choice };
    satellitePositions(this.world, 0, this.positions);
    const radii = Array.from({ length: this.n }, (_, i) => Math.hypot(...pointAt(this.positions, i)));
    this.outerRadius = Math.max(...radii);
    const meanRadius = radii.reduce((sum, radius) => sum + radius, 0) / this.n;
    const { world } = this;
    this.still = new Float32Array(this.positions);
    this.earthLayers = earthLayers(
      this.earth, this.scene, (meanRadius / EARTH - 1) * EARTH_KM, world.sun, () => this.painting.part);
    this.most = Math.max(1, ...this.sides.map((side) => Math.max(0, ...this.replay(side).sharing)));
    this.fixed = Object.fromEntries(this.sides.map((side) => {
      const replay = this.choice.mode === MODES.packets ? this.replay(side) : null;
      const roles = rolesOf(world, replay, this.n);
      return [side, {
        roles, looks: fleetAttributes(roles), used: replay ? usedLinks(world, replay) : [],
      }];
    }));
    this.mesh = this.choice.mode === MODES.packets ? meshOfLinks(world, this.still) : null;
    const standing = attribute(this.still, 3);
    for (const side of this.sides) {
      const fixed = this.fixed[side];
      fixed.fleet = fleetLayer(standing, fixed.looks, side);
      fixed.nameList = this.namesOf(side);
      fixed.names = null;
      fixed.lines = linkStrokes(fixed.used, this.still);
      fixed.loads = null;
    }
    this.contacts = null;
    if (!this.view || (choice.world !== undefined && before.world !== choice.world)) this.face();
    if (before.mode !== this.choice.mode) {
      this.deck.setProps({ views: this.views() });
      this.fit();
    }
    this.draw(Math.min(this.time, this.duration));
  }

  name(satellite) {
    const place = `plane ${this.scene.plane[satellite]}, slot ${this.scene.slot[satellite]}`;
    return this.scene.names.length ? `${this.scene.names[satellite]} (${place})` : place;
  }

  // In short, where there is little room.
  place(satellite) { return `${this.scene.plane[satellite]}/${this.scene.slot[satellite]}`; }

  namesOf(side) {
    return this.fixed[side].roles.flatMap((role, i) => (role === "sensing" || role === "computing"
      ? [{ role, text: this.place(i), satellite: i }] : []));
  }

  // Names of the satellites that the camera sees. They are drawn over the Earth, which would cut those at its edge.
  namesAt(side, positions, time) {
    const fixed = this.fixed[side];
    const { camera } = this;
    const hidden = new Set(
      fixed.nameList.filter((one) => behindEarth(pointAt(positions, one.satellite), camera)).map((one) => one.satellite));
    const key = `${time} ${[...hidden].join()}`;
    if (fixed.names?.key !== key) fixed.names = { key, layer: nameLayer(fixed.nameList, positions, time, hidden, side) };
    return fixed.names.layer;
  }

  // Everything at `time`. Whatever looks as it did in the frame before is the same layer as then.
  draw(time) {
    this.time = time;
    const packets = this.choice.mode === MODES.packets;
    const stills = [...this.earthLayers, ...this.stationsNow(), ...(packets ? [this.mesh] : [])];
    const moving = this.sides.flatMap((side) => (packets ? this.packetsAt(side) : this.orbitsAt(side)));
    this.layers = [...stills, ...moving, this.contactsAt(packets ? 0 : time)];
    this.painting.layers(stills, this.view);
    this.deck.setProps({ layers: this.layers });
  }

  stationsNow() {
    const near = this.nearPlaces;
    if (this.stations?.near !== near) this.stations = { near, layers: stationLayers(near) };
    return this.stations.layers;
  }

  packetsAt(side) {
    const { world, time } = this;
    const fixed = this.fixed[side];
    const replay = this.replay(side);
    const packets = [];
    for (let p = 0; p < world.present.length; p++) {
      const at = packetState(world, replay, p, time);
      if (at.state === PACKET_STATES.absent) continue;
      packets.push({
        p, ...at, kind: p < world.present.length / 2 ? "model" : "data",
        radius: 3 + Math.sqrt(world.size_mbit[p]) / 4,
        position: packetPosition(this.still, world, replay, p, at),
      });
    }
    fixed.packets = packets;
    const loads = fixed.used.map((link) => (this.choice.whole ? link.total : loadNow(link, time)));
    if (!fixed.loads || loads.some((load, i) => load !== fixed.loads.values[i])) {
      fixed.loads = { values: loads, layer: loadLayer(loads, fixed.lines, this.most, side) };
    }
    return [
      fixed.loads.layer, fixed.fleet,
      ...(this.marked === null ? [] : [pathLayer(this.pathOf(side, this.marked), side)]),
      packetLayer(packets, this.marked, side), ...(this.choice.names ? [this.namesAt(side, this.still, 0)] : []),
    ];
  }

  pathOf(side, p) {
    const replay = this.replay(side);
    const path = [pointAt(this.still, this.world.source[p])];
    for (let hop = replay.first[p]; hop < replay.first[p + 1]; hop++) path.push(pointAt(this.still, replay.stop[hop]));
    return path;
  }

  orbitsAt(side) {
    const fixed = this.fixed[side];
    satellitePositions(this.world, this.time, this.positions);
    const layers = [fleetLayer(attribute(this.positions, 3), fixed.looks, side)]; // new in its positions only
    if (this.choice.names) layers.push(this.namesAt(side, this.positions, this.time));
    return layers;
  }

  contactsAt(time) {
    const still = this.choice.mode === MODES.packets;
    if (still && this.contacts) return this.contacts;
    const { contacts } = this.world;
    const positions = still ? this.still : this.positions;
    const ends = [[], []];
    for (let i = 0; i < contacts.station.length; i++) {
      if (contacts.start_s[i] <= time && time < contacts.end_s[i]) {
        ends[0].push(...this.places[contacts.station[i]].position);
        ends[1].push(...pointAt(positions, contacts.satellite[i]));
      }
    }
    const layer = contactLayer(ends.map((values) => new Float32Array(values)));
    if (still) this.contacts = layer;
    return layer;
  }

  tooltip({ layer, index, object, viewport }) {
    if (!layer || index < 0) return null;
    const kind = layer.id.split("-")[0];
    const side = viewport?.id ?? "left";
    const text = {
      fleet: () => `${this.name(index)}\n${ROLE_WORDS[this.fixed[side].roles[index]]}`,
      links: () => `${this.name(this.world.links[2 * index])} – ${this.name(this.world.links[2 * index + 1])}\n` +
        `${this.world.length_km[index].toFixed(0)} km, ${this.world.rate_mbps[index].toFixed(0)} Mb/s`,
      loads: () => {
        const link = this.fixed[side].used[index];
        return `${this.name(link.a)} → ${this.name(link.b)}\n${link.total} packets in the episode, ` +
          `${loadNow(link, this.time)} now`;
      },
      packets: () => {
        const { p, kind, state } = this.fixed[side].packets[index];
        return `${kind} packet ${p + 1}, ${this.world.size_mbit[p].toFixed(0)} Mbit\n` +
          `${state}, delay ${this.replay(side).delay_s[p].toFixed(2)} s`;
      },
      stations: () => `${object.name}\n${object.latitude_deg.toFixed(2)}°, ${object.longitude_deg.toFixed(2)}°`,
    }[kind];
    return text ? { text: text(), className: "tip" } : null;
  }
}
