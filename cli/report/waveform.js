// Tracks as lines over time, from the whole excerpt down to single samples.
const SHORTEST_VIEW_S = 0.001;

class Waveform {
  constructor(canvas, player, status) {
    this.canvas = canvas;
    this.player = player;
    this.status = status;
    this.shown = new Set();
    this.from = 0;
    this.length = player.duration;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.secondsAt(event));
    }, { passive: false });
    let grip = null;
    let moved = false;
    canvas.addEventListener("pointerdown", (event) => {
      grip = this.secondsAt(event);
      moved = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (grip === null) return;
      const slip = grip - this.secondsAt(event);
      if (Math.abs(slip) > 0.004 * this.length) moved = true;
      if (moved) this.move(slip);
    });
    canvas.addEventListener("pointerup", () => {
      if (grip !== null && !moved) this.player.seek(grip);
      grip = null;
    });
    canvas.addEventListener("pointercancel", () => { grip = null; });
    canvas.addEventListener("keydown", (event) => {
      const actions = {
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), "0": () => this.reset(),
        "Home": () => this.reset(), "ArrowLeft": () => this.move(-0.2 * this.length),
        "ArrowRight": () => this.move(0.2 * this.length),
      };
      if (!(event.key in actions) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      actions[event.key]();
    });
  }

  secondsAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.from + (this.length * (event.clientX - box.left)) / box.width;
  }

  zoom(factor, around = this.from + this.length / 2) {
    const length = Math.min(Math.max(this.length * factor, SHORTEST_VIEW_S), this.player.duration);
    this.from = around - ((around - this.from) * length) / this.length;
    this.length = length;
    this.move(0);
  }

  move(seconds) {
    this.from = Math.min(Math.max(0, this.from + seconds), this.player.duration - this.length);
    this.draw();
  }

  reset() {
    this.from = 0;
    this.length = this.player.duration;
    this.draw();
  }

  draw() {
    const canvas = this.canvas;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (!width || !this.length) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
    pen.lineWidth = 1;
    pen.strokeStyle = colour("--line");
    pen.beginPath();
    pen.moveTo(0, height / 2);
    pen.lineTo(width, height / 2);
    pen.stroke();
    const view = this.samplesOf([...this.shown]);
    view.forEach(({ index, samples }) => {
      pen.strokeStyle = colour(`--track-${index % 13}`);
      pen.lineWidth = (index === 1 ? 2 : 1.2) * scale;
      this.trace(pen, samples, width, height);
    });
    this.playhead(pen, width, height, colour("--accent"));
    const digits = this.length < 0.1 ? 4 : 2;
    this.status.textContent = `${this.from.toFixed(digits)} s to ${(this.from + this.length).toFixed(digits)} s`;
  }

  samplesOf(indices) {
    const drawn = indices.sort((a, b) => a - b).map((index) => ({
      index, samples: this.player.buffers[index].getChannelData(0),
    }));
    const rate = this.player.rate;
    this.first = Math.max(0, Math.floor(this.from * rate));
    this.last = Math.ceil((this.from + this.length) * rate);
    // One scale for all lines: what looks twice as large is twice as large.
    this.peak = 1e-6;
    drawn.forEach(({ samples }) => {
      for (let i = this.first; i < Math.min(this.last, samples.length); i++) {
        this.peak = Math.max(this.peak, Math.abs(samples[i]));
      }
    });
    return drawn;
  }

  trace(pen, samples, width, height) {
    const rate = this.player.rate;
    const y = (value) => height / 2 - (value / this.peak) * height * 0.47;
    const x = (index) => ((index / rate - this.from) / this.length) * width;
    const end = Math.min(this.last + 1, samples.length);
    pen.beginPath();
    if ((end - this.first) < 4 * width) {
      for (let i = this.first; i < end; i++) pen.lineTo(x(i), y(samples[i]));
    } else {
      const perPixel = (this.length * rate) / width;
      for (let column = 0; column < width; column++) {
        let low = Infinity;
        let high = -Infinity;
        const start = Math.floor(this.from * rate + column * perPixel);
        for (let i = start; i < Math.min(start + perPixel, samples.length); i++) {
          low = Math.min(low, samples[i]);
          high = Math.max(high, samples[i]);
        }
        if (high >= low) {
          pen.lineTo(column, y(low));
          pen.lineTo(column, y(high));
        }
      }
    }
    pen.stroke();
  }

  playhead(pen, width, height, colour) {
    const x = ((this.player.position() - this.from) / this.length) * width;
    if (x < 0 || x > width) return;
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, height);
    pen.stroke();
  }
}
