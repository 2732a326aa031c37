"use strict";
// The time slider with its button, speed and keys.

class Clock {
  constructor(globe, onTime) {
    this.globe = globe;
    this.onTime = onTime;
    this.playing = false;
    this.slider = document.getElementById("time");
    this.output = document.getElementById("time-text");
    this.button = document.getElementById("play");
    this.speed = document.getElementById("speed");
    this.button.addEventListener("click", () => this.toggle());
    this.slider.addEventListener("input", () => {
      this.globe.painting.run(true);
      this.goTo((this.slider.value / 1000) * this.globe.duration);
    });
    this.slider.addEventListener("change", () => this.globe.painting.run(this.playing));
    this.goTo(0);
  }

  // Seconds of the scene in a second: orbits are shown a few minutes a second.
  get pace() { return Number(this.speed.value) * (this.globe.choice.mode === MODES.orbits ? 120 : 1); }

  goTo(time) {
    const end = this.globe.duration;
    this.time = Math.min(Math.max(time, 0), end);
    this.globe.draw(this.time);
    this.slider.value = Math.round((1000 * this.time) / end);
    const [now, last] = [this.time, end].map((value) => this.text(value));
    this.output.textContent = `${now} of ${last}`;
    this.slider.setAttribute("aria-valuetext", this.output.textContent);
    this.onTime(this.time);
  }

  text(time) {
    if (this.globe.choice.mode === MODES.packets) return `${time.toFixed(1)} s`;
    const minutes = Math.floor(time / 60);
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
  }

  toggle(play = !this.playing) {
    this.playing = play;
    this.button.textContent = play ? "Pause" : "Play";
    this.globe.painting.run(play);
    if (!play) return;
    if (this.time >= this.globe.duration) this.goTo(0);
    let before = performance.now();
    const frame = (now) => {
      if (!this.playing) return;
      this.goTo(this.time + (Math.max(now - before, 0) / 1000) * this.pace);
      before = now;
      if (this.time >= this.globe.duration) this.toggle(false);
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  listen(stage) {
    const keys = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.globe.turn(-6, 0, 0), ArrowRight: () => this.globe.turn(6, 0, 0),
      ArrowUp: () => this.globe.turn(0, 6, 0), ArrowDown: () => this.globe.turn(0, -6, 0),
      "+": () => this.globe.turn(0, 0, 0.25), "=": () => this.globe.turn(0, 0, 0.25),
      "-": () => this.globe.turn(0, 0, -0.25),
      ",": () => this.goTo(this.time - this.globe.duration / 100),
      ".": () => this.goTo(this.time + this.globe.duration / 100),
      Home: () => this.globe.face(),
    };
    stage.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }
}
