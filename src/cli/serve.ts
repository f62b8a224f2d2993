import { Command } from 'commander';
import { settingsHelp } from '../config/settings-text.js';

const EXAMPLES = `
Without settings it runs the built-in market simulator and signs a token for this run.

Examples:
  $ millrace serve
  $ NATS_URL=nats://127.0.0.1:4222 AUTH_JWT_SECRET=… PORT=8080 millrace serve
  $ FEED=replay REPLAY_FILE=monday.rec REPLAY_SPEED=10 millrace serve
  $ PORT=8080 millrace serve --takeover     replaces the running gateway without refusing a connection

SIGTERM spreads the reconnects of clients over DRAIN_TIMEOUT, then stops; SIGINT, or a second signal, stops at once.
SIGQUIT is SIGTERM that frees ADMIN_PORT at once. SIGHUP reloads certificates, keys, API keys, the policy and
SETTINGS_FILE; the log says what was reloaded.`;

const environment = () => `
Environment: name, [default], meaning. ops/configuration.md has the details; \`millrace check\` prints the values in effect.

${settingsHelp()}`;

/** `millrace serve`: runs the gateway until a signal ends it. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway, configured by environment variables')
    .option('--takeover', 'start next to the process that serves these ports, then tell it to drain (Linux)')
    .addHelpText('after', EXAMPLES)
    .addHelpText('after', environment)
    .action(async ({ takeover = false }: { takeover?: boolean }) => {
      // Loaded here so that the other commands need no native module.
      const { runGateway } = await import('./gateway-process.js');
      await runGateway(process.env, takeover);
    });
}
