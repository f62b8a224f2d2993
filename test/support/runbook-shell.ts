/** A shell in which blocks of the runbook are pasted, as on the host of a gateway. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type RunbookBlock, runbookBlocks } from './runbook.js';
import type { WatchedGateway } from './watched-gateway.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BLOCKS = runbookBlocks();
/** The log is where the installation puts it; here it is what the test has read. */
const LOGS = 'logs() { printf %s "$GATEWAY_LOG"; }';
const LOG_CHARACTERS_MAX = 16_384;

/** Those that only read. */
export function readingBlocks(): readonly RunbookBlock[] {
  return BLOCKS.filter(({ info }) => info === 'sh');
}

/** What says that an alert is over. */
export function verificationOf(alert: string): RunbookBlock {
  const block = BLOCKS.find(({ section, step, info }) => section === alert && step === 'Verify' && info === 'sh');
  if (block === undefined) throw new Error(`the runbook has nothing to verify ${alert} with`);
  return block;
}

/**
 * Runs the block after the preparations of the runbook.
 * @returns the exit code of the first command that failed, or 0, and all that was printed
 */
export async function pasted(
  block: RunbookBlock,
  { gateway, adminToken, prometheus, nats }: WatchedGateway,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  const script = [
    preparation('sh systemd'),
    preparation('sh helpers'),
    LOGS,
    'set -e -o pipefail',
    'exec 2>&1',
    block.text,
  ];
  const child = spawn('bash', ['-c', script.join('\n')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH ?? '',
      MILLRACE_HOME: ROOT,
      MILLRACE_ADMIN_URL: gateway.adminUrl,
      ADMIN_TOKEN: adminToken,
      PROMETHEUS_URL: prometheus.url,
      NATS_MONITOR_URL: nats[0].monitorUrl ?? '',
      GATEWAY_LOG: gateway.log().slice(-LOG_CHARACTERS_MAX),
      ...env,
    },
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code: code as number | null, output };
}

function preparation(info: string): string {
  const block = BLOCKS.find(candidate => candidate.info === info);
  if (block === undefined) throw new Error(`the runbook has no block ${info}`);
  return block.text;
}
