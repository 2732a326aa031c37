"use strict";
// Beside the globe: every packet's hops on a common time axis, for both routers; and the stations' contact windows.

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

const percent = (share) => `${(100 * share).toFixed(3)}%`;

function bar(className, from, to, total, title) {
  const made = element("i", { class: className, title });
  made.style.left = percent(from / total);
  made.style.width = percent(Math.max(to - from, 0) / total);
  return made;
}

// The time of the clock on a track: as wide as the track and moved by a share of that, which needs no new layout.
const MARK_STEPS = 500;
const nowMark = () => element("b", { class: "now" });

// It moves in steps of about a pixel: whatever moves on the page is painted anew.
function moveMarks(part, time, end) {
  const place = `translateX(${percent(Math.round((MARK_STEPS * time) / end) / MARK_STEPS)})`;
  for (const mark of part.getElementsByClassName("now")) mark.style.transform = place;
}

function hopBars(globe, side, p, total) {
  const replay = globe.replay(side);
  const track = element("div", { class: "track" });
  for (let hop = replay.first[p]; hop < replay.first[p + 1]; hop++) {
    const load = replay.sharing[hop];
    const title = `to ${globe.name(replay.stop[hop])}, ${load} packet${load === 1 ? "" : "s"} on the link`;
    const made = bar("hop", replay.depart_s[hop], replay.arrive_s[hop], total, title);
    made.style.background = `rgb(${loadColour(load, globe.most).slice(0, 3).map(Math.round).join(" ")})`;
    track.append(made);
  }
  track.append(nowMark());
  return track;
}

function packetTable(globe, body) {
  const { world } = globe;
  const total = globe.duration;
  const half = world.present.length / 2;
  body.replaceChildren();
  for (let p = 0; p < world.present.length; p++) {
    if (!world.present[p]) continue;
    const [left, right] = ["left", "right"].map((side) => globe.replay(side));
    const kind = p < half ? "model" : "data";
    const delay = (replay) => (replay.delivered[p] ? `${replay.delay_s[p].toFixed(2)}` : "lost");
    const less = left.charged_s[p] - right.charged_s[p];
    const row = element("tr", { tabindex: "0", "data-packet": p },
      element("td", {}, element("span", { class: `dot ${kind}` }), `${(p % half) + 1} ${kind}`),
      element("td", { class: "quiet" }, [world.source[p], world.destination[p]]
        .map((v) => globe.place(v)).join(" → ")),
      element("td", { class: "number" }, world.size_mbit[p].toFixed(0)),
      element("td", { class: "number" }, delay(left)),
      element("td", { class: "number" }, delay(right)),
      element("td", { class: `number ${Math.abs(less) < 0.005 ? "" : less < 0 ? "better" : "worse"}` },
        `${less > 0 ? "+" : less < 0 ? "−" : ""}${Math.abs(less).toFixed(2)}`),
      element("td", { class: "tracks" }, hopBars(globe, "left", p, total), hopBars(globe, "right", p, total)));
    const mark = (value) => () => { globe.marked = value; globe.draw(globe.time); };
    for (const event of ["mouseenter", "focus"]) row.addEventListener(event, mark(p));
    for (const event of ["mouseleave", "blur"]) row.addEventListener(event, mark(null));
    body.append(row);
  }
}

const NAMES_PX = 150; // the stations' names, left of the bars
const LABEL_PX = 32; // a bar that has room for a label

function contactChart(globe, chart) {
  const { world, scene } = globe;
  const end = world.keyframe_s[world.keyframe_s.length - 1];
  const roles = rolesOf(world, null, globe.n);
  const width = chart.clientWidth - NAMES_PX;
  chart.replaceChildren();
  scene.stations.forEach((station, s) => {
    const track = element("div", { class: "track" });
    const seen = new Map();
    for (let i = 0; i < world.contacts.station.length; i++) {
      if (world.contacts.station[i] !== s) continue;
      const satellite = world.contacts.satellite[i];
      if (!seen.has(satellite)) seen.set(satellite, seen.size);
      const [from, to] = [world.contacts.start_s[i], world.contacts.end_s[i]];
      const made = bar(`window ${roles[satellite]}`, from, to, end,
        `${globe.name(satellite)} (${roles[satellite]}): ${(from / 60).toFixed(1)} to ${(to / 60).toFixed(1)} min`);
      made.dataset.lane = seen.get(satellite);
      if (((to - from) / end) * width > LABEL_PX) made.textContent = globe.place(satellite);
      track.append(made);
    }
    const lanes = Math.max(seen.size, 1);
    for (const made of track.children) {
      made.style.top = percent(made.dataset.lane / lanes);
      made.style.height = percent(0.86 / lanes);
    }
    track.append(nowMark());
    track.style.height = `${13 * lanes}px`;
    chart.append(element("div", { class: "contact-row" }, element("span", {}, station.name), track));
  });
}
