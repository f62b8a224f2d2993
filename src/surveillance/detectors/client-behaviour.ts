import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import type { ClientEvent } from '../events.js';
import { RunningVariance } from '../running-variance.js';
import type { Thresholds } from '../thresholds.js';

const SECOND_MICROS = 1_000_000;
const MINUTE_MICROS = 60 * SECOND_MICROS;
/** Clients watched; beyond, those silent for longest are forgotten. */
const CLIENTS_MAX = 20_000;
/** Topics whose changes are remembered, for each client. */
const TOPICS_MAX = 500;
/** Of the client's seconds with commands; silent seconds would make every first burst an outlier. */
const HALF_LIFE_SECONDS = 60;
/** A client that always sends the same number deviates by one command at least. */
const DEVIATION_MIN = 1;
/** Changes of one topic that are remembered: enough for any limit that makes sense. */
const CHANGES_MAX = 1_000;

interface Topic {
  /** When it was subscribed to or left within the last minute. */
  changes: number[];
  subscribedMicros: number;
  /** When it was last left soon after it was subscribed to. */
  hoppedMicros: number;
}

interface Client {
  second: number;
  commands: number;
  readonly before: RunningVariance;
  readonly topics: BoundedMap<string, Topic>;
  /** The newest last. */
  readonly connections: BoundedMap<string, true>;
}

/** Clients that send far more than they used to, or subscribe and leave again and again. */
export class ClientBehaviour {
  #thresholds: Pick<Thresholds, 'client_rate' | 'client_churn' | 'client_hopping'>;
  readonly #report: Report;
  readonly #clients = new BoundedMap<string, Client>(CLIENTS_MAX);

  constructor(thresholds: Pick<Thresholds, 'client_rate' | 'client_churn' | 'client_hopping'>, report: Report) {
    this.#thresholds = thresholds;
    this.#report = report;
  }

  use(thresholds: Thresholds): void {
    this.#thresholds = thresholds;
  }

  take(event: ClientEvent): void {
    const client = this.#client(event);
    this.#rate(client, event);
    for (const topic of event.subscribed) this.#changed(client, event, topic, true);
    for (const topic of event.unsubscribed) this.#changed(client, event, topic, false);
    if (event.unsubscribed.length > 0) this.#hopping(client, event);
  }

  #client({ user, connection }: ClientEvent): Client {
    const key = user === '' ? `connection ${connection}` : `user ${user}`;
    const client = this.#clients.get(key) ?? {
      second: 0,
      commands: 0,
      before: new RunningVariance(HALF_LIFE_SECONDS),
      topics: new BoundedMap<string, Topic>(TOPICS_MAX),
      connections: new BoundedMap<string, true>(EVIDENCE_MAX),
    };
    this.#clients.set(key, client);
    client.connections.set(connection, true);
    return client;
  }

  #rate(client: Client, event: ClientEvent): void {
    const { commands_per_second_min, sigmas, seconds_min } = this.#thresholds.client_rate;
    const second = Math.floor(event.atMicros / SECOND_MICROS);
    const { before } = client;
    if (second > client.second) {
      if (client.commands > 0) before.add(client.commands);
      client.second = second;
      client.commands = 0;
    }
    client.commands += event.commands;
    const { commands } = client;
    if (before.count < seconds_min || commands < commands_per_second_min) return;
    const z = (commands - before.mean) / Math.max(DEVIATION_MIN, before.deviation);
    if (z <= sigmas) return;
    this.#alert('client_rate', client, event, {
      summary: `${commands} commands within a second`,
      figures: { commands, usual: Math.round(before.mean), sigmas: Math.round(z * 10) / 10 },
      topics: [],
    });
  }

  #changed(client: Client, event: ClientEvent, name: string, isSubscribed: boolean): void {
    const { atMicros } = event;
    const topic = client.topics.get(name) ?? { changes: [], subscribedMicros: 0, hoppedMicros: 0 };
    client.topics.set(name, topic);
    topic.changes = topic.changes.filter(at => at > atMicros - MINUTE_MICROS).slice(1 - CHANGES_MAX);
    topic.changes.push(atMicros);
    const heldMicros = atMicros - topic.subscribedMicros;
    if (isSubscribed) topic.subscribedMicros = atMicros;
    else if (heldMicros <= this.#thresholds.client_hopping.held_seconds_max * SECOND_MICROS) {
      topic.hoppedMicros = atMicros;
    }
    const changes = topic.changes.length;
    if (changes <= this.#thresholds.client_churn.changes_per_minute_max) return;
    this.#alert('client_churn', client, event, {
      summary: `one topic subscribed to and left ${changes} times within a minute`,
      figures: { changes },
      topics: [name],
    });
  }

  #hopping(client: Client, event: ClientEvent): void {
    const since = event.atMicros - MINUTE_MICROS;
    const hopped = [...client.topics].filter(([, { hoppedMicros }]) => hoppedMicros > since);
    if (hopped.length <= this.#thresholds.client_hopping.topics_per_minute_max) return;
    this.#alert('client_hopping', client, event, {
      summary: `${hopped.length} different topics within a minute, each left soon after it was subscribed to`,
      figures: { topics: hopped.length },
      topics: hopped.map(([name]) => name),
    });
  }

  #alert(
    detector: 'client_rate' | 'client_churn' | 'client_hopping',
    client: Client,
    { user, atMicros, connection }: ClientEvent,
    found: { summary: string; figures: Readonly<Record<string, number>>; topics: readonly string[] },
  ): void {
    const connections = user === '' ? [connection] : [...client.connections.keys()];
    this.#report({
      detector,
      atMicros,
      symbol: '',
      users: user === '' ? [] : [user],
      summary: found.summary,
      figures: found.figures,
      evidence: [...connections, ...found.topics].slice(0, EVIDENCE_MAX),
    });
  }
}
