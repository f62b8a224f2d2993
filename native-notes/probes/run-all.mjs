/**
 * Runs every probe in a process of its own and prints a table; exits with 1 when one of them did not hold.
 *
 *   node native-notes/probes/run-all.mjs                        all
 *   node native-notes/probes/run-all.mjs --only deterministic   a kind, or probes by name, separated by commas
 *   node native-notes/probes/run-all.mjs --verbose              every line that the probes print
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runChild } from './probe.mjs';

/**
 * deterministic: the same on any machine, however busy. statistical: fails by chance about once in a million.
 * rough: times and memory, compared as ratios with wide bounds; a busy machine may break them.
 */
const PROBES = {
  abi: 'deterministic',
  'publish-batches': 'deterministic',
  'flush-thresholds': 'deterministic',
  'flush-order': 'deterministic',
  'send-publish-order': 'deterministic',
  'silent-drops': 'deterministic',
  'dropped-callback': 'deterministic',
  'buffered-amount': 'deterministic',
  'close-frame': 'deterministic',
  'close-handler': 'deterministic',
  'too-long-frame': 'deterministic',
  'payload-bounds': 'deterministic',
  'accepted-sockets': 'deterministic',
  'protocol-errors': 'deterministic',
  'publish-before-route': 'deterministic',
  'idle-timeout': 'deterministic',
  'payload-views': 'deterministic',
  'hung-thread': 'deterministic',
  'interrupted-turn': 'deterministic',
  'stuck-listener': 'statistical',
  'thread-exit': 'deterministic',
  acceptor: 'deterministic',
  'certificate-swap': 'deterministic',
  'ring-overrun': 'deterministic',
  'reuse-port': 'statistical',
  'batch-cost': 'rough',
  'endless-reads': 'rough',
  compression: 'rough',
  memory: 'rough',
  'wait-async': 'rough',
  'hand-off': 'rough',
  'piscina-round-trip': 'rough',
  'attended-slot': 'rough',
  'detached-buffer': 'rough',
  codecs: 'rough',
};

const { values } = parseArgs({ options: { only: { type: 'string' }, verbose: { type: 'boolean', default: false } } });
const wanted = values.only?.split(',');
const chosen = Object.entries(PROBES).filter(
  ([name, kind]) => !wanted || wanted.includes(name) || wanted.includes(kind),
);
if (chosen.length === 0) {
  console.error(
    `--only ${values.only}: no such kind or probe; kinds are ${[...new Set(Object.values(PROBES))].join(', ')}`,
  );
  process.exit(2);
}

console.log(
  `Node ${process.version}, ABI ${process.versions.modules}, ${process.platform} ${process.arch}, ${availableParallelism()} cores`,
);
let failed = 0;
const line = (...cells) =>
  console.log(`${cells[0].padEnd(22)}${cells[1].padEnd(15)}${cells[2].padEnd(8)}${cells[3].padStart(6)}  ${cells[4]}`);
line('probe', 'kind', 'result', 's', 'fact');
for (const [name, kind] of chosen) {
  const start = performance.now();
  const { code, signal, out } = await runChild(new URL(`./${name}.mjs`, import.meta.url), [], { limitMs: 90_000 });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const lines = out.trimEnd().split('\n');
  const fact = lines[0]?.startsWith('# ') ? lines[0].slice(2) : '';
  const holds = code === 0;
  if (!holds) failed++;
  line(name, kind, holds ? 'ok' : 'NOT OK', seconds, fact);
  if (!holds && signal) console.log(`  ended with ${signal}`);
  const shown = values.verbose || !holds ? lines.slice(1) : lines.filter(text => text.startsWith('skip'));
  for (const text of shown) console.log(`  ${text}`);
}
console.log(failed === 0 ? `all ${chosen.length} probes hold` : `${failed} of ${chosen.length} probes do not hold`);
process.exit(failed === 0 ? 0 : 1);
