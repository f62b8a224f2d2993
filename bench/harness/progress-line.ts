/** What is going on: one line that is rewritten on a terminal, one line each time elsewhere. */
export class ProgressLine {
  #shown = '';
  readonly #suite: string;
  readonly #startedAt = performance.now();

  constructor(suite: string) {
    this.#suite = suite;
  }

  show(text: string): void {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
    const line = `${this.#suite} (${seconds} s): ${text}`;
    if (!process.stderr.isTTY) process.stderr.write(`${line}\n`);
    else process.stderr.write(`\r${line.padEnd(this.#shown.length)}`);
    this.#shown = line;
  }

  end(): void {
    if (process.stderr.isTTY && this.#shown !== '') process.stderr.write('\n');
  }
}
