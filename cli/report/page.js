// Ties the parts to the page.
const byId = (id) => document.getElementById(id);
const sounds = JSON.parse(byId("sounds").textContent);
const player = new Player(sounds.tracks, sounds.rate);
const abx = new AbxTest();
let waveform = null;
let blind = false;

function showPlayer() {
  byId("play").textContent = player.playing ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(player.playing));
  showPosition();
}

function showPosition() {
  const seconds = player.position();
  byId("position").value = seconds;
  byId("position").setAttribute("aria-valuetext", `${seconds.toFixed(1)} seconds`);
  byId("clock").textContent = `${seconds.toFixed(1)} / ${player.duration.toFixed(1)} s`;
}

function everyFrame() {
  if (player.playing) {
    showPosition();
    waveform.draw();
  }
  requestAnimationFrame(everyFrame);
}

function toggle() {
  if (player.playing) player.pause();
  else player.play();
}

// What sounds during a blind test must not be seen anywhere: the list of tracks keeps its last choice.
function setBlind(value) {
  blind = value;
  byId("listening").textContent = blind ? "The blind test below is playing." : "";
}

function choose(index) {
  setBlind(false);
  document.querySelectorAll("input[name=track]")[index].checked = true;
  player.hear(index);
}

function preparePlayer() {
  byId("play").addEventListener("click", toggle);
  byId("position").max = player.duration;
  byId("position").addEventListener("input", (event) => player.seek(Number(event.target.value)));
  document.querySelectorAll("input[name=track]").forEach((radio, index) => {
    radio.addEventListener("change", () => choose(index));
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=radio]), select, button, canvas, summary");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const number = Number(event.key);
    if (event.key === " ") {
      event.preventDefault();
      toggle();
    } else if (number >= 1 && number <= Math.min(9, player.tracks.length)) choose(number - 1);
  });
  player.addEventListener("change", () => { showPlayer(); waveform.draw(); });
}

function prepareWaveform() {
  waveform = new Waveform(byId("wave"), player, byId("view"));
  document.querySelectorAll("input[name=line]").forEach((box) => {
    const update = () => {
      waveform.shown[box.checked ? "add" : "delete"](Number(box.value));
      waveform.draw();
    };
    box.addEventListener("change", update);
    update();
  });
  const actions = { closer: () => waveform.zoom(0.5), wider: () => waveform.zoom(2), all: () => waveform.reset(),
    earlier: () => waveform.move(-0.2 * waveform.length), later: () => waveform.move(0.2 * waveform.length) };
  Object.entries(actions).forEach(([id, action]) => byId(id).addEventListener("click", action));
}

function prepareAbx() {
  const show = () => { byId("verdict").textContent = abx.verdict; };
  const restart = () => { abx.reset(); show(); };
  const hear = (letter) => {
    setBlind(true);
    player.hear(abx.track(letter, Number(byId("abx-a").value), Number(byId("abx-b").value)));
    ["A", "B", "X"].forEach((name) => byId(`hear-${name}`).setAttribute("aria-pressed", String(name === letter)));
    player.play();
  };
  const answer = (saysA) => {
    abx.answer(saysA);
    show();
    if (blind && byId("hear-X").getAttribute("aria-pressed") === "true") hear("X");
  };
  ["A", "B", "X"].forEach((letter) => byId(`hear-${letter}`).addEventListener("click", () => hear(letter)));
  byId("is-A").addEventListener("click", () => answer(true));
  byId("is-B").addEventListener("click", () => answer(false));
  byId("abx-reset").addEventListener("click", restart);
  // Trials of different pairs must not be counted together.
  ["abx-a", "abx-b"].forEach((id) => byId(id).addEventListener("change", restart));
  show();
}

function prepareTheme() {
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => { byId("theme").textContent = isDark() ? "Light page" : "Dark page"; };
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
    if (waveform) waveform.draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { show(); if (waveform) waveform.draw(); });
  show();
}

prepareTheme();
player.decode().then(() => {
  prepareWaveform();
  preparePlayer();
  prepareAbx();
  showPlayer();
  document.querySelectorAll("[data-waits]").forEach((part) => { part.disabled = false; });
  document.documentElement.dataset.ready = "true";
  requestAnimationFrame(everyFrame);
}, (error) => { byId("listening").textContent = `This browser cannot decode the audio (${error.message}).`; });
