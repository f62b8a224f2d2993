/** What the journal says that a connection was handed is what its socket was handed, whatever happens in between. */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { Derivation, differences, type HandedMessage, handedIn } from '../support/journal/derived.js';
import { RecordedJournal } from '../support/journal/recorded.js';
import { type ConnectedClient, MarketModel, type ModelSetup } from './market-model.js';
import { assertRuns, connectFour, runsOf, scriptsOf, useModelTime } from './scripts.js';
import { anySetup, anything, eventsOnly, run, type Step, slowAndFast, slowSetup } from './steps.js';

const RUNS = runsOf(25);
const SEED = '20261130';
const TIMEOUT_MS = 120_000;
const STEPS_MIN = 60;
const STEPS_MAX = 250;

const packr = new Packr({ useRecords: false, int64AsType: 'number' });

/** A client and what its socket was handed. */
interface Watched {
  readonly client: ConnectedClient;
  readonly handed: HandedMessage[];
  /** Published to a socket that closed before uWS wrote it. */
  unwritten: number;
}

class WatchedModel {
  readonly journal = new RecordedJournal();
  readonly model: MarketModel;
  readonly watched: Watched[] = [];

  constructor(setup: ModelSetup) {
    this.model = new MarketModel({ ...setup, newJournal: this.journal.newJournal });
    const { gateway } = this.model;
    const connect = gateway.connect.bind(gateway);
    gateway.connect = (...of) => {
      const socket = connect(...of);
      const handed: HandedMessage[] = [];
      socket.onTaken = (bytes, isBinary) => {
        handed.push(...handedIn(isBinary ? packr.unpack(bytes) : JSON.parse(Buffer.from(bytes).toString())));
      };
      this.watched.push({ client: { socket } as ConnectedClient, handed, unwritten: 0 });
      return socket;
    };
    const disconnect = gateway.disconnect.bind(gateway);
    gateway.disconnect = socket => {
      const watched = this.watched.find(({ client }) => client.socket === socket);
      if (watched !== undefined) watched.unwritten = socket.published.length;
      disconnect(socket);
    };
  }

  /** What is wrong, and how many messages were compared and in doubt. */
  compare(): { readonly wrong: string[]; readonly sure: number; readonly doubtful: number } {
    const { records } = this.journal;
    const sums = { wrong: [] as string[], sure: 0, doubtful: 0 };
    for (const { client, handed, unwritten } of this.watched) {
      const c = `c${client.socket.session.id}`;
      const derivation = new Derivation(c, records);
      sums.wrong.push(...differences(derivation, handed, unwritten).map(text => `${c} ${text}`));
      for (const messages of derivation.messages.values()) {
        for (const { isSure } of messages) sums[isSure ? 'sure' : 'doubtful']++;
      }
    }
    return sums;
  }
}

async function assertScripts(step: fc.Arbitrary<Step>, made: fc.Arbitrary<ModelSetup>) {
  const sums = { sure: 0, doubtful: 0 };
  const property = fc.asyncProperty(made, scriptsOf(step, STEPS_MIN, STEPS_MAX), async (setup, script) => {
    const { model, journal, ...watching } = new WatchedModel(setup);
    const compare = WatchedModel.prototype.compare.bind({ journal, ...watching });
    connectFour(model);
    for (const s of script) await run(model, s);
    await model.settle();
    const { wrong, sure, doubtful } = compare();
    journal.close();
    await model.gateway.hub.close();
    expect(wrong).toEqual([]);
    sums.sure += sure;
    sums.doubtful += doubtful;
  });
  await assertRuns(property, RUNS, SEED);
  return sums;
}

useModelTime();

test.each([
  ['anything happens', anything, anySetup],
  ['clients are slowed and restored', slowAndFast, slowSetup],
  ['events are lost, replayed and numbered anew', eventsOnly, anySetup],
] as const)(
  'R70 the journal tells exactly what each socket was handed while %s',
  async (_what, step, setup) => {
    const { sure, doubtful } = await assertScripts(step as fc.Arbitrary<Step>, setup);
    expect(sure).toBeGreaterThan(RUNS * 10);
    // Doubt is for what uWS dropped, and is rare.
    expect(doubtful).toBeLessThan(sure / 4);
  },
  TIMEOUT_MS,
);
