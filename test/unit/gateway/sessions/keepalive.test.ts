import { describe, expect, test } from 'vitest';
import type { KeepaliveState } from '../../../../src/gateway/model/flow.js';
import { CLOSE_TIMEOUT_MS, Keepalive, type KeepaliveOptions } from '../../../../src/gateway/sessions/keepalive.js';

interface Client {
  readonly name: string;
  readonly keepalive: KeepaliveState;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** What the clocks show when a test begins; they differ, so that one cannot pass for the other. */
const START_MS = 5_000;
const START_UNIX_MS = 1_700_000_000_000;
const TOLERANCE_MS = 5_000;

/** A worker's sessions under a clock of the test's; `log` has what was done to whom, at which ms since the start. */
class Worker {
  readonly sessions = new Set<Client>();
  readonly log: string[] = [];
  atMs = 0;
  /** Whether a socket that is closed goes at once. */
  closesAtOnce = true;
  onPing: (client: Client) => void = () => {};
  onWarning: (client: Client) => void = () => {};
  readonly keepalive: Keepalive<Client>;

  constructor(settings: Partial<KeepaliveOptions<Client>> = {}) {
    this.keepalive = new Keepalive<Client>({
      pingIntervalMs: 30 * SECOND,
      pongTimeoutMs: 60 * SECOND,
      idleTimeoutMs: 30 * MINUTE,
      healthCheckIntervalMs: 30 * SECOND,
      clockToleranceMs: TOLERANCE_MS,
      nowMs: () => START_MS + this.atMs,
      unixMs: () => START_UNIX_MS + this.atMs,
      sessions: this.sessions,
      ping: client => {
        this.#note('ping', client);
        this.onPing(client);
      },
      close: (client, code) => {
        this.#note(`close ${code}`, client);
        if (this.closesAtOnce) this.sessions.delete(client);
      },
      terminate: client => {
        this.#note('terminate', client);
        this.sessions.delete(client);
      },
      warnExpiring: client => {
        this.#note('warn', client);
        this.onWarning(client);
      },
      ...settings,
    });
  }

  /** @param lifeMs of the credential */
  open(name: string, lifeMs = Number.POSITIVE_INFINITY): Client {
    const client = { name, keepalive: this.keepalive.open(START_UNIX_MS + this.atMs + lifeMs) };
    this.sessions.add(client);
    return client;
  }

  /** Sweeps as often as the thread would, and at `untilMs` itself. */
  runTo(untilMs: number): void {
    while (this.atMs < untilMs) {
      this.atMs = Math.min(untilMs, this.atMs + this.keepalive.checkIntervalMs);
      this.keepalive.check();
    }
  }

  /** What happened since the last call. */
  taken(): string[] {
    return this.log.splice(0);
  }

  #note(what: string, { name }: Client): void {
    this.log.push(`${this.atMs} ${what} ${name}`);
  }
}

/** A worker whose clients answer every ping at once. */
function answering(settings?: Partial<KeepaliveOptions<Client>>): Worker {
  const worker = new Worker(settings);
  worker.onPing = client => worker.keepalive.ponged(client);
  return worker;
}

describe('pings', () => {
  test('R42 a session is pinged when the ping interval has passed since it opened, then once an interval', () => {
    const worker = answering();
    worker.open('a');
    worker.runTo(30 * SECOND - 1);
    expect(worker.taken()).toEqual([]);
    worker.runTo(30 * SECOND);
    expect(worker.taken()).toEqual(['30000 ping a']);
    worker.runTo(60 * SECOND - 1);
    expect(worker.taken()).toEqual([]);
    worker.runTo(60 * SECOND);
    worker.runTo(90 * SECOND);
    expect(worker.taken()).toEqual(['60000 ping a', '90000 ping a']);
  });

  test('R42 sessions are pinged in the order in which they opened, not together', () => {
    const worker = answering();
    worker.open('a');
    worker.runTo(10 * SECOND);
    worker.open('b');
    worker.runTo(45 * SECOND);
    expect(worker.taken()).toEqual(['30000 ping a', '40000 ping b']);
  });

  test('R42 sessions that opened all at once are spread over checks, and each is pinged in time', () => {
    const worker = answering();
    for (let i = 0; i < 9000; i++) worker.open(`s${i}`);
    const perSweep = new Map<string, number>();
    worker.onPing = client => {
      worker.keepalive.ponged(client);
      const at = String(worker.atMs);
      perSweep.set(at, (perSweep.get(at) ?? 0) + 1);
    };
    worker.runTo(46 * SECOND);
    expect(new Set(worker.taken().map(line => line.split(' ')[2])).size).toBe(9000);
    expect(Math.max(...perSweep.values())).toBe(600);
    expect(worker.keepalive.counters.pings).toBe(9000);
    worker.runTo(10 * MINUTE);
    expect(worker.taken().filter(line => line.includes('close'))).toEqual([]);
  });
});

describe('silence', () => {
  test('R42 a client that does not answer a ping within the pong timeout is closed with 4009', () => {
    const worker = new Worker();
    worker.open('a');
    worker.runTo(90 * SECOND - 1);
    expect(worker.taken()).toEqual(['30000 ping a', '60000 ping a']);
    worker.runTo(90 * SECOND);
    expect(worker.taken()).toEqual(['90000 close 4009 a']);
  });

  test('R42 messages do not stand in for the pong', () => {
    const worker = new Worker();
    const client = worker.open('a');
    worker.runTo(80 * SECOND);
    worker.keepalive.received(client, START_MS + worker.atMs);
    worker.runTo(90 * SECOND);
    expect(worker.taken().at(-1)).toBe('90000 close 4009 a');
  });

  test('R42 a pong in the last millisecond keeps the session', () => {
    const worker = new Worker();
    const client = worker.open('a');
    worker.runTo(90 * SECOND - 1);
    worker.keepalive.ponged(client);
    worker.taken();
    worker.runTo(150 * SECOND - 1);
    expect(worker.taken().filter(line => line.includes('close'))).toEqual([]);
  });

  test('R42 the pong timeout may be shorter than the ping interval', () => {
    const worker = new Worker({ pongTimeoutMs: 2 * SECOND });
    worker.open('a');
    worker.runTo(40 * SECOND);
    expect(worker.taken()).toEqual(['30000 ping a', '32000 close 4009 a']);
  });

  test('R42 a session without a message or a pong for the idle timeout is closed with 4009', () => {
    const worker = new Worker({ idleTimeoutMs: 20 * SECOND });
    const client = worker.open('a');
    worker.runTo(15 * SECOND);
    worker.keepalive.received(client, START_MS + worker.atMs);
    worker.runTo(35 * SECOND - 1);
    expect(worker.taken().filter(line => line.includes('close'))).toEqual([]);
    worker.runTo(35 * SECOND);
    expect(worker.taken()).toContain('35000 close 4009 a');
  });

  test('R42 a client without a credential that only answers pings stays for ever', () => {
    const worker = answering();
    worker.open('a');
    worker.runTo(2 * 60 * MINUTE);
    expect(worker.taken().filter(line => !line.includes('ping'))).toEqual([]);
  });

  test('R42 a thread that stood still reads what came meanwhile before it calls clients silent', () => {
    const worker = new Worker();
    const [quick, dead] = [worker.open('quick'), worker.open('dead')];
    worker.runTo(30 * SECOND);
    worker.taken();
    worker.atMs += 2 * MINUTE;
    worker.keepalive.check();
    expect(worker.taken().filter(line => line.includes('close'))).toEqual([]);
    worker.keepalive.ponged(quick);
    worker.runTo(worker.atMs + SECOND);
    expect(worker.taken()).toEqual(['151000 close 4009 dead']);
    expect([...worker.sessions]).toEqual([quick]);
    expect(dead.keepalive.closingAtMs).toBeGreaterThan(0);
  });

  test('R42 a thread that is late every time calls clients silent all the same', () => {
    const worker = new Worker();
    worker.open('a');
    for (let i = 0; i < 20 && worker.sessions.size > 0; i++) {
      worker.atMs += 10 * SECOND;
      worker.keepalive.check();
    }
    expect(worker.taken().at(-1)).toBe('90000 close 4009 a');
  });
});

describe('the end of a close', () => {
  test('R42 a socket that has not closed in 5 s is terminated, and nothing else is done to it meanwhile', () => {
    const worker = new Worker();
    worker.closesAtOnce = false;
    const client = worker.open('a', 10 * MINUTE);
    worker.runTo(90 * SECOND);
    worker.taken();
    worker.keepalive.ponged(client);
    worker.runTo(90 * SECOND + CLOSE_TIMEOUT_MS - 1);
    expect(worker.taken()).toEqual([]);
    worker.runTo(90 * SECOND + CLOSE_TIMEOUT_MS);
    expect(worker.taken()).toEqual(['95000 terminate a']);
  });

  test('R42 a close begun elsewhere is watched too', () => {
    const worker = new Worker();
    const client = worker.open('a');
    worker.runTo(SECOND);
    worker.keepalive.closing(client);
    worker.runTo(2 * SECOND);
    worker.keepalive.closing(client);
    worker.runTo(10 * SECOND);
    expect(worker.taken()).toEqual(['6000 terminate a']);
  });

  test('R42 a session that closed in time is left alone', () => {
    const worker = new Worker();
    const client = worker.open('a');
    worker.runTo(89 * SECOND);
    worker.sessions.delete(client);
    worker.taken();
    worker.runTo(10 * MINUTE);
    expect(worker.taken()).toEqual([]);
  });
});

describe('credentials', () => {
  test('R42 the client is warned 30 s before the end or one check earlier, once, and closed with 4001 when the tolerance is over too', () => {
    const worker = answering();
    worker.open('a', 10 * MINUTE);
    const events = () => worker.taken().filter(line => !line.includes('ping'));
    worker.runTo(10 * MINUTE - 32 * SECOND);
    expect(events()).toEqual([]);
    worker.runTo(10 * MINUTE - 31 * SECOND);
    expect(events()).toEqual(['569000 warn a']);
    worker.runTo(10 * MINUTE + TOLERANCE_MS - 1);
    expect(events()).toEqual([]);
    worker.runTo(10 * MINUTE + TOLERANCE_MS);
    expect(events()).toEqual(['605000 close 4001 a']);
  });

  test('R42 of a short credential the client is warned when a third of its life is left or one check earlier', () => {
    const worker = answering();
    worker.open('a', 60 * SECOND);
    worker.runTo(38 * SECOND);
    expect(worker.taken()).toEqual(['30000 ping a']);
    worker.runTo(39 * SECOND);
    expect(worker.taken()).toEqual(['39000 warn a']);
  });

  test('R42 a credential accepted within the tolerance is warned of at once', () => {
    const worker = answering();
    worker.open('a', -2 * SECOND);
    worker.runTo(3 * SECOND);
    expect(worker.taken()).toEqual(['1000 warn a', '3000 close 4001 a']);
  });

  test('R42 a new credential puts the end off and is warned of anew; the same again is not', () => {
    const worker = answering();
    const client = worker.open('a', 60 * SECOND);
    worker.runTo(40 * SECOND);
    worker.keepalive.renewed(client, client.keepalive.expiresAtMs);
    worker.runTo(59 * SECOND);
    worker.keepalive.renewed(client, START_UNIX_MS + 119 * SECOND);
    worker.runTo(130 * SECOND);
    expect(worker.taken().filter(line => !line.includes('ping'))).toEqual([
      '39000 warn a',
      '98000 warn a',
      '124000 close 4001 a',
    ]);
  });

  test('R42 credentials end by the calendar, silence by the monotonic clock', () => {
    let calendarMs = START_UNIX_MS;
    const worker = answering({ unixMs: () => calendarMs });
    worker.open('endless');
    worker.open('hour', 60 * MINUTE);
    worker.runTo(10 * SECOND);
    calendarMs += 60 * MINUTE + TOLERANCE_MS;
    worker.runTo(12 * SECOND);
    expect(worker.taken()).toEqual(['11000 close 4001 hour']);
    expect([...worker.sessions].map(client => client.name)).toEqual(['endless']);
  });
});

describe('a check', () => {
  test('R42 goes on when sessions close inside of it, and does nothing more to those', () => {
    const worker = new Worker();
    const [a, b] = [worker.open('a'), worker.open('b')];
    worker.open('c');
    worker.onPing = client => {
      if (client !== a) return;
      worker.sessions.delete(a);
      worker.sessions.delete(b);
    };
    worker.runTo(30 * SECOND);
    expect(worker.taken()).toEqual(['30000 ping a', '30000 ping c']);
  });

  test('R42 does not ping a session that its warning closed', () => {
    const worker = new Worker({ pingIntervalMs: 20 * SECOND });
    const [a, b] = [worker.open('a', 30 * SECOND), worker.open('b', 30 * SECOND)];
    worker.onWarning = client => {
      if (client === a) worker.sessions.delete(a);
      else worker.keepalive.closing(b);
    };
    worker.runTo(20 * SECOND);
    expect(worker.taken()).toEqual(['19000 warn a', '19000 warn b']);
  });

  test.each([
    [{}, 1000],
    [{ pongTimeoutMs: 2000 }, 500],
    [{ pingIntervalMs: 1000 }, 250],
    [{ idleTimeoutMs: 400 }, 100],
    [{ healthCheckIntervalMs: 300 }, 300],
    [{ pingIntervalMs: 20 }, 50],
  ])('R42 with %o is made every %i ms', (settings, intervalMs) => {
    expect(new Worker(settings).keepalive.checkIntervalMs).toBe(intervalMs);
  });
});
