/** In which order, and how many at a time, open sessions are checked again. */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../../src/gateway/model/session.js';
import { ChangedRights } from '../../../../src/gateway/sessions/changed-rights.js';
import type { Reauthentication } from '../../../../src/gateway/sessions/reauthentication.js';

const MANY = 500;

interface Stub {
  readonly id: number;
  readonly credential: { readonly apiKeyId: string | undefined };
  socket: object | undefined;
}

function worker(recheck: (id: number) => ReturnType<Reauthentication['recheck']>) {
  const done: string[] = [];
  const stubs: Stub[] = Array.from({ length: MANY }, (_, id) => ({
    id,
    credential: { apiKeyId: id % 100 === 0 ? `k_${id}` : undefined },
    socket: {},
  }));
  const rechecks = new ChangedRights({
    sessions: new Set(stubs as unknown as Session[]),
    reauthentication: {
      recheck: ({ id }: Session) => {
        done.push(`check ${id}`);
        return recheck(id);
      },
    } as unknown as Reauthentication,
    end: (session, code) => done.push(`end ${session.id} ${code}`),
    onFault: (what, cause) => done.push(`${what}: ${cause}`),
  });
  return { rechecks, stubs, done };
}

const turn = () => new Promise<void>(resolve => setImmediate(resolve));

async function allTurns(done: readonly string[]): Promise<number> {
  let turns = 0;
  for (let before = -1; before !== done.length; turns++) {
    before = done.length;
    await turn();
    await turn();
  }
  return turns;
}

describe('I7 R33 open sessions whose rights may have changed', () => {
  it('I7 of a removed key end at once; all others are checked, a few a turn', async () => {
    const { rechecks, done } = worker(() => undefined);
    rechecks.run(['k_100', 'k_300', 'k_999']);
    expect(done).toEqual(['end 100 4500', 'end 300 4500']);
    await turn();
    expect(done.length).toBeLessThan(MANY / 2);
    expect(await allTurns(done)).toBeGreaterThan(2);
    expect(new Set(done.filter(text => text.startsWith('check'))).size).toBe(MANY - 2);
  });

  it('I7 are checked once for changes in quick succession, unless a check came before', async () => {
    const { rechecks, done } = worker(() => undefined);
    for (let n = 0; n < 10; n++) rechecks.run([]);
    await allTurns(done);
    expect(done).toHaveLength(MANY);
    rechecks.run([]);
    await allTurns(done);
    expect(done).toHaveLength(2 * MANY);
  });

  it('I7 end when their credential is gone, and are left alone once they are closed', async () => {
    const { rechecks, stubs, done } = worker(id => (id === 7 ? 'gone' : id === 8 ? 'too_many' : undefined));
    const closed = stubs[9] as Stub;
    rechecks.run([]);
    closed.socket = undefined;
    await allTurns(done);
    expect(done).toContain('end 7 4500');
    expect(done).toContain('end 8 4029');
    expect(done).not.toContain('check 9');
  });

  it('I7 do not keep the others from being checked when one fails', async () => {
    const { rechecks, done } = worker(id => {
      if (id === 3) throw new Error('broken');
      return id === 4 ? Promise.reject(new Error('late')) : undefined;
    });
    rechecks.run([]);
    await allTurns(done);
    expect(done.filter(text => text.startsWith('check'))).toHaveLength(MANY);
    expect(done.filter(text => text.startsWith('changed rights not applied'))).toHaveLength(2);
  });
});
