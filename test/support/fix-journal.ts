/** What a journal says that FIX clients got, by the rule that order is what counts; and a journal in memory. */
import type { NewRecord, ViewMembers } from '../../src/threads/journal-records.js';

type Entry =
  | NewRecord
  | {
      readonly k: 'published';
      readonly view: string;
      readonly epoch: string;
      readonly prev: number;
      readonly seq: number;
    };

/** A subscription of a connection to a view. */
interface Live {
  readonly id: string;
  readonly view: string;
  readonly topic: string;
  /** What the client has. */
  seq: number;
}

const viewKey = ({ topic, class: rateClass, tier, depth, part }: ViewMembers): string =>
  JSON.stringify([topic, rateClass, tier, depth, part]);

/** Positions of what a connection got, by MDReqID: `W e1 5`, `X e1 5-6`. */
export function gotBy(entries: readonly Entry[], c: string): Map<string, string[]> {
  const all = new Map<string, string[]>();
  const live: Live[] = [];
  const got = (id: string, text: string) => all.set(id, [...(all.get(id) ?? []), text]);
  const left = (topic: string, id: string | undefined) => {
    const at = live.findIndex(each => each.topic === topic && each.id === id);
    if (at >= 0) live.splice(at, 1);
  };
  for (const entry of entries) {
    if (entry.k === 'published') {
      const { view, epoch, prev, seq } = entry;
      for (const each of live) {
        if (each.view !== view) continue;
        // Another client of the same part may have the message before this client's W.
        got(each.id, prev < 0 ? `W ${epoch} ${seq}` : `X ${epoch} ${Math.max(prev, each.seq)}-${seq}`);
        each.seq = seq;
      }
      continue;
    }
    if (!('c' in entry) || entry.c !== c) continue;
    const id = 'id' in entry ? (entry.id ?? '') : '';
    if (entry.k === 'snapshot') got(id, `W ${entry.epoch} ${entry.seq}`);
    else if (entry.k === 'live') live.push({ id, view: viewKey(entry), topic: entry.topic, seq: entry.seq });
    else if (entry.k === 'paused' || entry.k === 'unsubscribed') left(entry.topic, id);
    else if (entry.k === 'sent') for (const [prev, seq] of entry.runs) got(id, `X ${entry.epoch} ${prev}-${seq}`);
  }
  return all;
}

/** Positions of what a client was sent, by MDReqID: the same texts. @param messages readable, with FIX_SEQ_TAGS */
export function positionsIn(messages: readonly string[]): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const message of messages) {
    const place = /\|35=([WX])\|(?:.*\|)?262=(\w+)\|.*\|20001=([\w-]+)\|20002=(\d+)\|20003=(\d+)\|/.exec(message);
    if (place === null) continue;
    const [, type, id = '', epoch, prev, seq] = place;
    all.set(id, [...(all.get(id) ?? []), type === 'W' ? `W ${epoch} ${seq}` : `X ${epoch} ${prev}-${seq}`]);
  }
  return all;
}

/** Records of a journal's files, with one entry for each message that was published. */
export function entriesOf(records: readonly Readonly<Record<string, unknown>>[]): Entry[] {
  return (records as readonly NewRecord[]).flatMap((record): Entry[] => {
    if (record.k !== 'emit') return [record];
    const { epoch, runs, whole, stepwise } = record;
    const view = viewKey(record);
    return runs.flatMap(([prev, seq]) => {
      const messages = stepwise === true ? seq - prev : 1;
      return Array.from({ length: messages }, (_, i) => {
        const last = seq - messages + 1 + i;
        return {
          k: 'published' as const,
          view,
          epoch,
          prev: whole === true ? -1 : messages > 1 ? last - 1 : prev,
          seq: last,
        };
      });
    });
  });
}

export class TestJournal {
  readonly entries: Entry[] = [];
  readonly #views: { key: string; epoch: string }[] = [];
  readonly emits = {
    view: (members: ViewMembers): number => this.#views.push({ key: viewKey(members), epoch: '' }) - 1,
    release: () => {},
    beginEpoch: (view: number, epoch: string) => {
      (this.#views[view] as { epoch: string }).epoch = epoch;
    },
    emitted: (view: number, prev: number, seq: number) => this.#published(view, prev, seq),
    whole: (view: number, seq: number) => this.#published(view, -1, seq),
  };

  record(record: NewRecord): void {
    this.entries.push(record);
  }

  gotBy(c: string): Map<string, string[]> {
    return gotBy(this.entries, c);
  }

  #published(view: number, prev: number, seq: number): void {
    const { key, epoch } = this.#views[view] as { key: string; epoch: string };
    this.entries.push({ k: 'published', view: key, epoch, prev, seq });
  }
}
