// Plays one of many tracks. All run on one clock from one start, and only their gains differ: switching cannot slip.
const FADE_S = 0.015;
const LEAD_S = 0.03;

class Player extends EventTarget {
  constructor(tracks, rate) {
    super();
    this.tracks = tracks;
    this.rate = rate;
    this.buffers = [];
    this.heard = 1;
    this.playing = false;
    this.offset = 0;
    this.context = null;
    this.sources = [];
  }

  get duration() {
    return this.buffers.length ? this.buffers[0].duration : 0;
  }

  // Decoding needs no permission to play and, from text inside the page, no request.
  async decode() {
    const decoder = new OfflineAudioContext(1, 1, this.rate);
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
    this.buffers = await Promise.all(this.tracks.map((track) => decoder.decodeAudioData(bytes(track.flac))));
    this.tell();
  }

  async play() {
    if (this.playing || !this.buffers.length) return;
    if (!this.context) this.open();
    this.playing = true;
    await this.context.resume();
    this.start();
    this.tell();
  }

  open() {
    this.context = new AudioContext({ sampleRate: this.rate });
    this.gains = this.tracks.map((track, index) => {
      const node = this.context.createGain();
      node.gain.value = this.wanted(index);
      node.connect(this.context.destination);
      return node;
    });
  }

  start() {
    this.startedAt = this.context.currentTime + LEAD_S;
    this.sources = this.buffers.map((buffer, index) => {
      const source = this.context.createBufferSource();
      source.buffer = buffer;
      source.loop = true;
      source.connect(this.gains[index]);
      source.start(this.startedAt, this.offset);
      return source;
    });
  }

  pause() {
    if (!this.playing) return;
    this.offset = this.position();
    this.stop();
    this.playing = false;
    this.tell();
  }

  stop() {
    this.sources.forEach((source) => { source.stop(); source.disconnect(); });
    this.sources = [];
  }

  seek(seconds) {
    this.offset = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.01));
    if (this.sources.length) {
      this.stop();
      this.start();
    }
    this.tell();
  }

  position() {
    if (!this.sources.length) return this.offset;
    return (this.offset + Math.max(0, this.context.currentTime - this.startedAt)) % this.duration;
  }

  // Cross-fades to a track. Tracks are nearly the same signal, so that linear ramps keep the level.
  hear(index) {
    this.heard = index;
    if (this.context) {
      const now = this.context.currentTime;
      this.gains.forEach((node, other) => {
        node.gain.cancelScheduledValues(now);
        node.gain.setValueAtTime(node.gain.value, now);
        node.gain.linearRampToValueAtTime(this.wanted(other), now + FADE_S);
      });
    }
    this.tell();
  }

  wanted(index) {
    return index === this.heard ? this.tracks[index].gain : 0;
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }
}
