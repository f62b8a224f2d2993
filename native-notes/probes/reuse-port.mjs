import { connectMany, freePort, startWorker } from './listen-workers.mjs';
import { median, probe } from './probe.mjs';
import { App, LIBUS_LISTEN_EXCLUSIVE_PORT } from './uws.mjs';

const CONNECTIONS = 2000;

await probe(
  'SO_REUSEPORT: two threads listen on one port, and the kernel balances connections by hash',
  async ({ check, note, skip }) => {
    if (process.platform !== 'linux') {
      skip('SO_REUSEPORT balances on Linux only');
      return;
    }
    const zero = await startWorker(0);
    const joined = await startWorker(zero.port);
    check(
      joined.port === -1,
      'a port that the first listener took with 0 is not shared: uWS sets the option only for a given port',
    );
    await zero.end();
    await joined.end();

    const port = await freePort();
    const first = await startWorker(port);
    const second = await startWorker(port);
    check(first.port === port && second.port === port, 'a given port: both threads listen on it');
    const { refused, times } = await connectMany(first.port, CONNECTIONS);
    const counts = [first.count(), second.count()];
    check(refused === 0 && counts[0] + counts[1] === CONNECTIONS, `${CONNECTIONS} connections, ${refused} refused`);
    // Five standard deviations of a fair coin: a balanced kernel fails this once in two million runs.
    const allowed = 5 * Math.sqrt(CONNECTIONS / 4);
    const off = Math.abs(counts[0] - CONNECTIONS / 2);
    const chiSquare = (2 * off * off) / (CONNECTIONS / 2);
    check(
      off <= allowed,
      `shares ${counts.join(' : ')}, ${((100 * off) / (CONNECTIONS / 2)).toFixed(1)} % off even, chi-square ${chiSquare.toFixed(1)}`,
    );
    note(`connect to answer, median ${median(times).toFixed(2)} ms with 50 at a time`);

    await first.end();
    const after = await connectMany(first.port, 200);
    check(
      after.refused === 0 && second.count() === counts[1] + 200,
      `after one listener has gone, the other takes all: ${after.refused} of 200 refused`,
    );
    await second.end();

    const exclusive = await freePort();
    const listens = (...args) => {
      let token;
      App().listen('127.0.0.1', exclusive, ...args, socket => {
        token = socket;
      });
      return Boolean(token);
    };
    const alone = [listens(LIBUS_LISTEN_EXCLUSIVE_PORT), listens()];
    check(
      alone.join() === 'true,false',
      `LIBUS_LISTEN_EXCLUSIVE_PORT: listens ${alone[0]}, a second listener ${alone[1]}`,
    );
  },
);
