/**
 * Typed messages between the benchmark and the modules it forks: the parent asks, the child answers with one message.
 */
import { inspect } from 'node:util';
import type { Child } from './children.js';

/** A message of either direction, told apart by `type`. */
export interface Message {
  readonly type: string;
}

/** Any child may answer any question with this instead. */
interface Failed extends Message {
  readonly type: 'failed';
  readonly message: string;
}

/** Longer than any question of a benchmark takes; a child that says nothing for so long never will. */
const ANSWER_TIMEOUT_MS = 60_000;

/** The parent's end of a forked module. One question at a time. */
export class Channel<Command extends Message, Answer extends Message> {
  constructor(readonly child: Child) {}

  /**
   * Sends `command` and waits for the answer of type `type`.
   *
   * @param workMs what the child is asked for takes so long by itself
   * @throws {ChildFailure} when the child ends, says that it failed, or says nothing for a minute more than that.
   */
  async ask<T extends Answer['type']>(command: Command, type: T, workMs = 0): Promise<Extract<Answer, { type: T }>> {
    const answer = this.child.during(this.#next(type, ANSWER_TIMEOUT_MS + workMs));
    this.child.process.send(command, () => undefined);
    return await answer;
  }

  #next<T extends Answer['type']>(type: T, timeoutMs: number): Promise<Extract<Answer, { type: T }>> {
    return new Promise((resolve, reject) => {
      const { process } = this.child;
      const settle = (): void => {
        clearTimeout(timer);
        process.off('message', listener);
      };
      const timer = setTimeout(() => {
        settle();
        reject(this.child.failure(`did not say '${type}' within ${timeoutMs} ms`));
      }, timeoutMs);
      const listener = (message: unknown): void => {
        const answer = message as Answer | Failed;
        if (answer.type !== type && answer.type !== 'failed') return;
        settle();
        if (answer.type === 'failed') reject(this.child.failure(`failed: ${(answer as Failed).message}`));
        else resolve(answer as Extract<Answer, { type: T }>);
      };
      process.on('message', listener);
      this.child.exited.then(settle);
    });
  }
}

/**
 * The child's end: answers each command with what `handle` returns. The process ends when the parent lets go of the
 * channel, however the parent ended, so that no child outlives its benchmark.
 */
export function serve<Command extends Message, Answer extends Message>(
  handle: (command: Command) => Answer | Promise<Answer>,
): void {
  const send = (message: Message): void => {
    process.send?.(message);
  };
  process.on('message', (message: unknown) => {
    Promise.resolve()
      .then(() => handle(message as Command))
      .then(send, (error: unknown) => send(failed(error)));
  });
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => undefined);
}

function failed(error: unknown): Failed {
  return { type: 'failed', message: inspect(error) };
}
