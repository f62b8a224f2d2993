/** The load of the workers, as each reports it; the gateway is as loaded as its most loaded worker. */
import { type Load, loadOf } from '../../protocol/load.js';

export class Loads {
  /** Changes of the gateway's level, up and down. */
  readonly changes = { up: 0, down: 0 };
  level = 0;
  readonly #levels = new Map<number, number>();
  readonly #onChange: (level: number) => void;

  constructor(onChange: (level: number) => void) {
    this.#onChange = onChange;
  }

  get load(): Load {
    return loadOf(this.level);
  }

  levelOf(worker: number): number {
    return this.#levels.get(worker) ?? 0;
  }

  get stats() {
    return { loadLevel: this.level, loadChanges: this.changes };
  }

  set(worker: number, level: number): void {
    this.#levels.set(worker, level);
    this.#changed();
  }

  /** The worker has ended: drops its load. */
  forgetWorker(worker: number): void {
    this.#levels.delete(worker);
    this.#changed();
  }

  #changed(): void {
    const level = Math.max(0, ...this.#levels.values());
    if (level === this.level) return;
    this.changes[level > this.level ? 'up' : 'down']++;
    this.level = level;
    this.#onChange(level);
  }
}
