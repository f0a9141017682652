// A blind test: X is A or B, drawn anew for every trial; whoever cannot hear a difference is right half of the time.

// The chance of at least so many right answers by guessing, Σ C(n, k) / 2ⁿ for k ≥ correct.
function chanceByGuessing(correct, trials) {
  let term = Math.pow(0.5, trials);
  let tail = 0;
  for (let k = 0; k <= trials; k++) {
    if (k >= correct) tail += term;
    term *= (trials - k) / (k + 1);
  }
  return Math.min(1, tail);
}

class AbxTest {
  #xIsA = true;

  constructor() {
    this.reset();
  }

  reset() {
    this.correct = 0;
    this.trials = 0;
    this.draw();
  }

  draw() {
    this.#xIsA = crypto.getRandomValues(new Uint8Array(1))[0] % 2 === 0;
  }

  track(letter, a, b) {
    return letter === "A" || (letter === "X" && this.#xIsA) ? a : b;
  }

  answer(saysA) {
    this.trials += 1;
    if (saysA === this.#xIsA) this.correct += 1;
    this.draw();
  }

  get verdict() {
    if (!this.trials) return "No trial yet.";
    const p = chanceByGuessing(this.correct, this.trials);
    const text = p < 0.0001 ? "p < 0.0001" : `p = ${p.toFixed(4)}`;
    return `${this.correct} of ${this.trials} right, ${text}`;
  }
}
