/** Clients of a gateway under surveillance, in simulated time: ordinary ones, and some that misbehave. */
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';
import type { Alert } from '../../src/surveillance/alert.js';
import type { ClientEvent } from '../../src/surveillance/events.js';
import type { Label } from '../../src/surveillance/score.js';
import { Surveillance } from '../../src/surveillance/surveillance.js';
import { DEFAULT_THRESHOLDS } from '../../src/surveillance/thresholds.js';

const SECOND_MICROS = 1_000_000;
/** 2026-11-02T10:00:00Z. */
const START_MICROS = 1_793_613_600_000_000;
const ORDINARY_CLIENTS = 200;
const TOPICS = 400;
/** An ordinary client looks at other topics this often on average. */
const CHANGE_SECONDS = 20;
/** It reconnects this often, and subscribes to its topics one by one. */
const RECONNECT_SECONDS = 900;
const TOPICS_HELD = 25;
/** A room's writer sends so many messages a second at times. */
const CHATTER_PER_SECOND = 8;
/** A blatant churner subscribes and leaves in this share of the seconds. */
const CHURN_SHARE = 0.25;

export const CLIENT_KINDS = ['client_rate', 'client_churn', 'client_hopping'] as const;
type ClientKind = (typeof CLIENT_KINDS)[number];

interface Planted {
  readonly label: Label;
  readonly strength: number;
}

/** Commands within one second. */
type Second = Pick<ClientEvent, 'commands' | 'subscribed' | 'unsubscribed'>;

export class WatchedClients {
  readonly alerts: Alert[] = [];
  readonly labels: Label[] = [];
  events = 0;
  watchingMs = 0;
  readonly #surveillance = new Surveillance(DEFAULT_THRESHOLDS, alert => this.alerts.push(alert));
  readonly #random: SeededRandom;
  readonly #held: string[][];
  #planted: Planted[] = [];
  #nowMicros = START_MICROS;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed, 2);
    this.#held = Array.from({ length: ORDINARY_CLIENTS }, () => []);
  }

  /** Plants a client that misbehaves for a minute, after a quiet one. */
  plant(kind: ClientKind, strength: number): void {
    const user = `${kind}-${this.labels.length}`;
    const fromMicros = this.#nowMicros + 60 * SECOND_MICROS;
    const label = { kind, symbol: '', users: [user], fromMicros, toMicros: fromMicros + 60 * SECOND_MICROS };
    this.labels.push(label);
    this.#planted.push({ label, strength });
  }

  run(seconds: number): void {
    for (let n = 0; n < seconds; n++) {
      this.#nowMicros += SECOND_MICROS;
      for (let client = 0; client < ORDINARY_CLIENTS; client++) this.#tell(`user-${client}`, this.#ordinary(client));
      for (const planted of this.#planted) this.#tell(planted.label.users[0] ?? '', this.#misbehaving(planted));
    }
  }

  #tell(user: string, second: Second | undefined): void {
    if (second === undefined) return;
    const startMs = performance.now();
    this.#surveillance.client({ atMicros: this.#nowMicros, user, connection: `${user}-c`, ...second });
    this.watchingMs += performance.now() - startMs;
    this.events++;
  }

  #ordinary(client: number): Second | undefined {
    const random = this.#random;
    const held = this.#held[client] ?? [];
    if (held.length === 0 || random.below(RECONNECT_SECONDS) === 0) {
      held.length = 0;
      for (let n = 0; n < TOPICS_HELD; n++) held.push(this.#topic());
      return { commands: TOPICS_HELD, subscribed: [...held], unsubscribed: [] };
    }
    if (random.below(CHANGE_SECONDS) === 0) {
      const left = held.splice(random.below(held.length), 1);
      const topic = this.#topic();
      held.push(topic);
      return { commands: 2, subscribed: [topic], unsubscribed: left };
    }
    const isChatting = client % 20 === 0 && random.below(4) === 0;
    if (!isChatting) return random.below(30) === 0 ? { commands: 1, subscribed: [], unsubscribed: [] } : undefined;
    return { commands: 1 + random.below(CHATTER_PER_SECOND), subscribed: [], unsubscribed: [] };
  }

  #misbehaving({ label, strength }: Planted): Second | undefined {
    const second = (this.#nowMicros - label.fromMicros) / SECOND_MICROS;
    // At first, and afterwards, it is a client like others.
    if (second < 0 || second >= 60) return { commands: 1 + this.#random.below(3), subscribed: [], unsubscribed: [] };
    const none = { commands: 1, subscribed: [], unsubscribed: [] };
    switch (label.kind) {
      case 'client_rate':
        return { ...none, commands: Math.round(100 * strength) };
      case 'client_churn': {
        const isDue = this.#random.fraction() < CHURN_SHARE * strength;
        return isDue ? { commands: 2, subscribed: ['quotes:AAPL'], unsubscribed: ['quotes:AAPL'] } : none;
      }
      default: {
        const topics = Array.from({ length: Math.round(4 * strength) }, (_, n) => `quotes:S${second * 4 + n}`);
        return { commands: 2 * topics.length, subscribed: topics, unsubscribed: topics };
      }
    }
  }

  #topic(): string {
    return `quotes:T${this.#random.below(TOPICS)}`;
  }
}
