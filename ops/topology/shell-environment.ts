/** What a second terminal needs: variables and functions by which the commands of ../runbook.md work with the topology. */
import { fileURLToPath } from 'node:url';
import { mintToken } from '../../src/auth/token.js';
import { SETTINGS } from '../../src/config/settings-table.js';
import { STREAMS } from '../../src/protocol/topics.js';
import type { Deployment } from './deployment.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TOKEN_TTL_MS = 24 * 3_600_000;

/** A token for everything. @param sub the user */
export function tokenOf(sub: string, secret: string): Promise<string> {
  const entitlements = STREAMS.map(stream => `${stream}:*`);
  return mintToken({ secret, sub, tier: 'institutional', entitlements, ttlMs: TOKEN_TTL_MS });
}

/** A file to source. @param directory of the topology's files */
export async function shellEnvironment(deployment: Deployment, directory: string): Promise<string> {
  const { clientUrl, natsUrl, natsMonitorUrl, adminUrls, prometheusUrl, alertmanagerUrl, jwtSecret } = deployment;
  const variables = {
    MILLRACE_URL: clientUrl,
    MILLRACE_TOKEN: await tokenOf('you', jwtSecret),
    PROMETHEUS_URL: prometheusUrl,
    ALERTMANAGER_URL: alertmanagerUrl,
    NATS_URL: natsUrl,
    NATS_MONITOR_URL: natsMonitorUrl,
  };
  const cases = Object.entries(adminUrls).map(([name, url]) => `    ${name}) MILLRACE_ADMIN_URL=${url} ;;`);
  return `# Of one run of the topology: source it.
# Settings of another gateway, such as its ADMIN_TOKEN, are of no use here.
unset ${[...SETTINGS.keys()].join(' ')}
${Object.entries(variables)
  .map(([name, value]) => `export ${name}=${quoted(value)}`)
  .join('\n')}
millrace() { ${quoted(process.execPath)} ${quoted(PROGRAM)} "$@"; }
logs() { cat ${quoted(directory)}/logs/"$GATEWAY".log; }
gateway() { echo "type this where the topology runs, for restart stop and then start: $1 $GATEWAY"; }

# use <gateway>: what the commands below are about.
use() {
  case $1 in
${cases.join('\n')}
    *) echo "use ${Object.keys(adminUrls).join(' or ')}" >&2; return 1 ;;
  esac
  export MILLRACE_ADMIN_URL GATEWAY=$1
}
use ${Object.keys(adminUrls)[0]}
`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
