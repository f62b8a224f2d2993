import { mintToken } from '../auth/token.js';
import type { Config } from '../config/environment.js';
import { isLoopback } from '../config/hosts.js';
import { withoutSecrets } from '../config/url-text.js';
import type { Gateway } from '../gateway.js';
import { STREAMS } from '../protocol/topics.js';

const DEMO_TOKEN_TTL_MS = 24 * 3_600_000;
const ONLY_HERE =
  '  With this key, only this machine can connect. To serve others, set AUTH_JWT_SECRET or another AUTH_… source, or HOST.';

const line = (name: string, text: string) => `  ${name.padEnd('dashboard '.length)} ${text}`;

/** How a client names its credential in the query, and where it gets one. */
function credentialLines({ auth }: Config): readonly [query: string, hint: string] {
  const { secret, jwksUrl, jwksFile, apiKeysFile } = auth;
  if (secret !== undefined) return ['token=…', '  token   npm run token -- --sub you --ttl 1h'];
  if (jwksUrl !== undefined || jwksFile !== undefined) {
    const keys = withoutSecrets(jwksUrl ?? '') || jwksFile;
    return ['token=…', line('token', `from your identity provider, whose keys are at ${keys}`)];
  }
  return ['api_key=…', line('key', `npx millrace api-key create --sub you --file ${apiKeysFile}`)];
}

/**
 * What is printed once the gateway runs: its addresses, and how to connect.
 * @param secret the key generated for this run; undefined if the operator has one
 */
export async function welcome(gateway: Gateway, config: Config, secret: string | undefined): Promise<string> {
  const feed = `feed ${config.feed}${config.nats.jetstream ? ' (JetStream)' : ''}`;
  const threads = `${config.workers} gateway worker(s), ${config.encoders} encoder(s)`;
  const missing = gateway.notReady.join(', ');
  const state = missing === '' ? 'is ready' : `is not ready yet (${missing}; /readyz says when it is)`;
  const lines = [
    '',
    `  Millrace ${state}: ${feed}, ${threads}`,
    line('dashboard', `${gateway.adminUrl}/dashboard`),
    line('admin', `${gateway.adminUrl}/metrics`),
  ];
  const { fixAddress } = gateway;
  if (fixAddress !== undefined) lines.push(line('fix', `${fixAddress}, TargetCompID ${config.fix?.compId}`));
  if (secret === undefined) {
    lines.push(line('clients', `${gateway.url}/ws/quotes?symbols=…&${credentialLines(config).join('\n')}`), '');
    return `${lines.join('\n')}\n`;
  }
  const { issuers, audiences, tokenMaxAgeMs = DEMO_TOKEN_TTL_MS } = config.auth;
  const token = await mintToken({
    secret,
    sub: 'demo',
    tier: 'institutional',
    entitlements: STREAMS.map(stream => `${stream}:*`),
    ttlMs: Math.min(DEMO_TOKEN_TTL_MS, tokenMaxAgeMs),
    issuer: issuers[0],
    audience: audiences[0],
  });
  const symbols = config.feed === 'simulator' ? (config.symbols.find(s => !s.includes('*')) ?? 'AAPL') : 'AAPL';
  const page = gateway.url.replace('ws', 'http');
  lines.splice(2, 0, line('demo', `${page}/`));
  lines.push(
    line('clients', `${gateway.url}/ws/quotes?symbols=${symbols}&token=${token}`),
    '',
    '  The key that signs tokens was generated for this run. To watch from another terminal:',
    '',
    `    export MILLRACE_TOKEN=${token}`,
    `    npx millrace tail quotes:${symbols} orderbook:${symbols} --url ${gateway.url}`,
    '',
    ...(isLoopback(config.host) ? [ONLY_HERE, ''] : []),
  );
  return `${lines.join('\n')}\n`;
}
