"use strict";
// What is painted anew in a frame, and with how many pixels. At rest that is everything, as sharp as the screen.
//
// While the clock runs, what does not move with it is a picture on a canvas beneath, and only what moves is painted over it;
// the Earth then paints nothing and still hides what is behind it. While somebody turns or zooms, everything moves: where a
// frame then takes too long, as without a graphics card, the next ones have fewer pixels, and at last no faint mesh of links,
// until the hand rests.

const PARTS = { all: "all", still: "still", moving: "moving" };
const SLOW_MS = 40; // a frame that is felt to be late
const REST_MS = 250; // without turning: the hand rests
const STEPS = [ // from sharp to fast: share of the screen's pixels along each edge, and whether links are seen that nobody uses
  { share: 1, mesh: true }, { share: 0.7, mesh: true }, { share: 0.5, mesh: true }, { share: 0.5, mesh: false },
];

class Painting {
  constructor(stage) {
    this.beneath = document.createElement("canvas");
    this.beneath.className = "beneath";
    this.beneath.hidden = true;
    stage.prepend(this.beneath);
    this.part = PARTS.all;
    this.running = false;
    this.turning = false;
    this.awaited = false;
    this.seen = [];
    this.pictured = false;
    this.step = 0;
    this.stills = new Set();
  }

  // For deck.gl: it says when it paints.
  get props() { return { onBeforeRender: () => this.before(), onAfterRender: () => this.after() }; }

  // How much is painted just now.
  get detail() { return STEPS[this.turning ? this.step : 0]; }

  shows(layer) {
    if (!this.detail.mesh && layer.id === "links-both") return false;
    return this.part === PARTS.all || layer.id === "earth-both" || this.stills.has(layer.id) === (this.part === PARTS.still);
  }

  // stills: layers that look the same at any time of the clock, seen by this camera.
  layers(stills, view) {
    this.stills = new Set(stills.map((layer) => layer.id));
    this.looks = [...stills, view];
  }

  // The clock has started, or stopped.
  run(running) {
    if (running === this.running) return;
    this.running = running;
    if (!running) this.deck.redraw("the clock stopped");
  }

  // Somebody has turned the globe, or zoomed.
  turn() {
    if (!this.turning) {
      this.turning = true;
      this.step = Math.max(this.step - 1, 0); // it may be faster by now
      this.sharpen();
    }
    clearTimeout(this.rest);
    if (this.awaited) return;
    this.awaited = true;
    requestAnimationFrame((start) => requestAnimationFrame((end) => {
      this.awaited = false;
      this.painted(end - start);
    }));
  }

  // A frame while turning took that many milliseconds: the browser asks for the next once it has room for it.
  painted(took) {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.turning = false;
      this.sharpen();
      this.deck.redraw("the hand rests");
    }, REST_MS);
    if (took < SLOW_MS || this.step === STEPS.length - 1) return;
    this.step++;
    this.sharpen();
  }

  sharpen() {
    const { share } = this.detail;
    this.deck.setProps({ useDevicePixels: share === 1 ? true : share * devicePixelRatio });
  }

  before() {
    const { width, height } = this.deck.canvas;
    const looks = [...this.looks, width, height];
    const same = looks.length === this.seen.length && looks.every((one, i) => one === this.seen[i]);
    this.seen = looks;
    if (!this.running || this.turning || !same) [this.part, this.pictured] = [PARTS.all, false];
    else this.part = this.pictured ? PARTS.moving : PARTS.still;
    this.beneath.hidden = this.part === PARTS.all;
  }

  after() {
    if (this.part !== PARTS.still) return;
    const { canvas } = this.deck;
    Object.assign(this.beneath, { width: canvas.width, height: canvas.height }); // which clears it
    this.beneath.getContext("2d").drawImage(canvas, 0, 0);
    this.pictured = true;
    this.deck.redraw("what moves");
  }
}
