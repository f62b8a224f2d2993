/** The same questions and answers as {@link Channel}, for programs that are not Node's: one line of JSON each. */
import { createInterface } from 'node:readline';
import type { Message } from './channel.js';
import type { Child } from './children.js';

const ANSWER_TIMEOUT_MS = 60_000;

/** The parent's end: commands on the child's stdin, answers on its stdout. One question at a time. */
export class LineChannel<Command extends Message, Answer extends Message> {
  readonly #waiting = new Set<(answer: Answer) => void>();

  constructor(readonly child: Child) {
    const { stdout } = child.process;
    if (stdout === null) throw new Error(`${child.name} has no stdout`);
    createInterface({ input: stdout }).on('line', line => {
      const answer = JSON.parse(line) as Answer;
      for (const settle of [...this.#waiting]) settle(answer);
    });
  }

  /** @throws {ChildFailure} when the child ends, or says nothing for a minute. */
  async ask<T extends Answer['type']>(command: Command, type: T): Promise<Extract<Answer, { type: T }>> {
    const answer = this.child.during(this.#next(type));
    this.child.process.stdin?.write(`${JSON.stringify(command)}\n`);
    return await answer;
  }

  #next<T extends Answer['type']>(type: T): Promise<Extract<Answer, { type: T }>> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(listener);
      };
      const timer = setTimeout(() => {
        done();
        reject(this.child.failure(`did not say '${type}' within ${ANSWER_TIMEOUT_MS} ms`));
      }, ANSWER_TIMEOUT_MS);
      const listener = (answer: Answer): void => {
        if (answer.type !== type) return;
        done();
        resolve(answer as Extract<Answer, { type: T }>);
      };
      this.#waiting.add(listener);
      this.child.exited.then(done);
    });
  }
}
