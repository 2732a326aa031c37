"use strict";
// Puts the page together. `leomixReport` is what tests and curious people find in the console.

const byId = (id) => document.getElementById(id);

function fillChoices(globe) {
  const { scene } = globe;
  const options = (select, names, chosen) => {
    select.replaceChildren(...names.map((name, i) => new Option(name, i, name === chosen, name === chosen)));
  };
  options(byId("world"), scene.worlds.map((world) => world.name), scene.worlds[0].name);
  options(byId("left"), scene.routers, scene.left);
  options(byId("right"), scene.routers, scene.right);
}

function sumUp(globe) {
  const { world, choice } = globe;
  const lostBy = (replay) => replay.delivered.filter((delivered, p) => world.present[p] && !delivered).length;
  const mean = (side) => {
    const delays = [...globe.replay(side).charged_s].filter((_, p) => world.present[p]);
    return delays.reduce((sum, value) => sum + value, 0) / delays.length;
  };
  for (const side of ["left", "right"]) {
    const lost = lostBy(globe.replay(side));
    byId(`name-${side}`).textContent =
      `${choice[side]}: ${mean(side).toFixed(2)} s on average${lost ? `, ${lost} lost` : ""}`;
    byId(`head-${side}`).textContent = `${choice[side]}, s`;
  }
  byId("world-words").textContent = `${world.words} Slot at ${world.time}.`;
  byId("load-most").textContent = globe.most;
  byId("stage").classList.toggle("single", choice.mode === MODES.orbits);
  for (const part of document.querySelectorAll("[data-mode]")) part.hidden = part.dataset.mode !== choice.mode;
  const packets = choice.mode === MODES.packets;
  byId("lost-part").hidden = !(packets && ["left", "right"].some((side) => lostBy(globe.replay(side))));
  const unlinked = globe.fixed.left.roles.filter((role) => role === "unlinked").length;
  byId("unlinked-part").hidden = !unlinked;
  byId("unlinked").textContent = `${unlinked} without a link in this slot`;
}

function startGlobe(scene, earth) {
  const stage = byId("stage");
  const globe = new Globe(scene, stage, earth);
  fillChoices(globe);
  const clock = new Clock(globe, (time) => {
    moveMarks(byId(globe.choice.mode === MODES.packets ? "packet-part" : "contact-part"), time, globe.duration);
  });
  const renew = (choice) => {
    globe.show(choice);
    sumUp(globe);
    packetTable(globe, byId("packets"));
    contactChart(globe, byId("contacts"));
    clock.goTo(choice.world !== undefined || choice.mode !== undefined ? 0 : globe.time);
  };
  byId("world").addEventListener("change", (event) => renew({ world: Number(event.target.value) }));
  for (const side of ["left", "right"]) {
    byId(side).addEventListener("change", (event) => renew({ [side]: scene.routers[event.target.value] }));
  }
  for (const input of document.querySelectorAll("input[name=mode]")) {
    input.addEventListener("change", () => { clock.toggle(false); renew({ mode: input.value }); });
  }
  byId("whole").addEventListener("change", (event) => renew({ whole: event.target.checked }));
  byId("names").addEventListener("change", (event) => renew({ names: event.target.checked }));
  byId("home").addEventListener("click", () => globe.face());
  clock.listen(stage);
  renew({});
  return { globe, clock };
}

async function startPage() {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  theme.start();
  await loadLibraries();
  for (const define of [defineBall, defineStrokes, defineDots]) define();
  const [plots, scene] = await Promise.all([readPayload("plots"), readPayload("scene")]);
  startPlots(plots);
  if (!document.createElement("canvas").getContext("webgl2")) {
    throw new Error("this browser has no WebGL 2, which the globe needs; tables and plots work without it");
  }
  const earth = {
    graticule: graticule(EARTH * 1.002), picture: await earthPicture(packedText("earth").trim()),
  };
  return startGlobe(scene, earth);
}

globalThis.leomixReport = startPage().then(
  (parts) => {
    byId("loading").remove();
    document.documentElement.dataset.ready = "yes";
    return parts;
  },
  (error) => {
    byId("loading").remove();
    byId("problem").hidden = false;
    byId("problem").textContent = `The globe cannot be shown: ${error.message}.`;
    document.documentElement.dataset.ready = "no";
    throw error;
  },
);
