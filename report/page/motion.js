"use strict";
// Where things are at a time: satellites between two keyframes, packets on the clock of the delay model, loads of links.
// Lengths in the scene: the Earth's equatorial radius is 100.

const EARTH_KM = 6378.137;
const EARTH = 100;

// What it takes to turn every satellite from keyframe k to the next: made once for each pair of keyframes, and kept.
function spanOf(world, k, n) {
  const spans = (world.spans ??= []);
  if (spans[k]) return spans[k];
  const a = world.keyframes.subarray(k * n, (k + 1) * n);
  const b = world.keyframes.subarray((k + 1) * n, (k + 2) * n);
  const [radii, nextRadii, angles] = [0, 0, 0].map(() => new Float64Array(n / 3));
  for (let i = 0, j = 0; i < n; i += 3, j++) {
    const ra = Math.sqrt(a[i] * a[i] + a[i + 1] * a[i + 1] + a[i + 2] * a[i + 2]);
    const rb = Math.sqrt(b[i] * b[i] + b[i + 1] * b[i + 1] + b[i + 2] * b[i + 2]);
    const cosine = (a[i] * b[i] + a[i + 1] * b[i + 1] + a[i + 2] * b[i + 2]) / (ra * rb);
    [radii[j], nextRadii[j], angles[j]] = [ra, rb, Math.acos(Math.min(Math.max(cosine, -1), 1))];
  }
  return (spans[k] = { a, b, radii, nextRadii, angles });
}

// Positions [V * 3] of all satellites `time` s after the slot, Earth-fixed, into `out`. Each turns from one keyframe to the
// next on a circle among the stars, below which the Earth turns meanwhile. Nothing is allocated: this runs every frame.
function satellitePositions(world, time, out) {
  const n = out.length;
  const scale = (world.unit_km * EARTH) / EARTH_KM;
  const times = world.keyframe_s;
  let k = 0;
  while (k < times.length - 2 && times[k + 1] <= time) k++;
  const share = Math.min(Math.max((time - times[k]) / (times[k + 1] - times[k]), 0), 1);
  const { a, b, radii, nextRadii, angles } = spanOf(world, k, n);
  const turnedCosine = Math.cos(world.earth_rate_rad_s * time);
  const turnedSine = Math.sin(world.earth_rate_rad_s * time);
  for (let i = 0, j = 0; i < n; i += 3, j++) {
    const angle = angles[j];
    const radius = (radii[j] + (nextRadii[j] - radii[j]) * share) * scale;
    const flat = angle < 1e-6;
    const wa = (radius * (flat ? 1 - share : Math.sin((1 - share) * angle) / Math.sin(angle))) / radii[j];
    const wb = (radius * (flat ? share : Math.sin(share * angle) / Math.sin(angle))) / nextRadii[j];
    const x = wa * a[i] + wb * b[i];
    const y = wa * a[i + 1] + wb * b[i + 1];
    out[i] = x * turnedCosine + y * turnedSine;
    out[i + 1] = y * turnedCosine - x * turnedSine;
    out[i + 2] = wa * a[i + 2] + wb * b[i + 2];
  }
  return out;
}

const pointAt = (positions, satellite) => [
  positions[3 * satellite], positions[3 * satellite + 1], positions[3 * satellite + 2],
];

const PACKET_STATES = { absent: "absent", moving: "moving", relayed: "at a relay", arrived: "arrived", lost: "lost" };

// Hops of packet p are those from first[p] to first[p + 1].
function packetState(world, replay, p, time) {
  if (!world.present[p]) return { state: PACKET_STATES.absent };
  const from = replay.first[p];
  const to = replay.first[p + 1];
  for (let hop = from; hop < to; hop++) {
    if (time < replay.arrive_s[hop]) {
      const share = (time - replay.depart_s[hop]) / (replay.arrive_s[hop] - replay.depart_s[hop]);
      return { state: PACKET_STATES.moving, hop, share: Math.max(share, 0) };
    }
    if (time < replay.ready_s[hop]) return { state: PACKET_STATES.relayed, hop, share: 1 };
  }
  const state = replay.delivered[p] ? PACKET_STATES.arrived : PACKET_STATES.lost;
  return { state, hop: to - 1, share: 1 };
}

function packetPosition(positions, world, replay, p, at) {
  if (at.hop === undefined || at.hop < replay.first[p]) return pointAt(positions, world.source[p]);
  const a = pointAt(positions, replay.start[at.hop]);
  const b = pointAt(positions, replay.stop[at.hop]);
  return a.map((value, i) => value + (b[i] - value) * at.share);
}

// Everything that a router's replay needs to be drawn, made once: which links it uses, when, by how many packets.
function usedLinks(world, replay) {
  const links = new Map();
  for (let p = 0; p < world.present.length; p++) {
    for (let hop = replay.first[p]; hop < replay.first[p + 1]; hop++) {
      const [a, b] = [replay.start[hop], replay.stop[hop]];
      const key = a * 65536 + b;
      if (!links.has(key)) links.set(key, { a, b, total: replay.sharing[hop], hops: [] });
      links.get(key).hops.push({ packet: p, from: replay.depart_s[hop], to: replay.arrive_s[hop] });
    }
  }
  return [...links.values()];
}

function loadNow(link, time) {
  let load = 0;
  for (const hop of link.hops) if (hop.from <= time && time < hop.to) load++;
  return load;
}

function lastEvent(world, replay) {
  return replay.ready_s.reduce((latest, time) => Math.max(latest, time), 0);
}
