import { Command, Option } from 'commander';
import type { Use } from '../auth/declared-use.js';
import { createTokenVerifier, mintToken, TOKEN_BYTES_MAX } from '../auth/token.js';
import { refusalText } from '../auth/token-refusal.js';
import { type AuthConfig, givenText, readConfig } from '../config/environment.js';
import { withFiles } from '../config/settings-files.js';
import { claims } from '../config/variables/auth.js';
import type { Tier } from '../protocol/view-options.js';
import {
  entitlementOption,
  firmOption,
  professionalOption,
  roleOption,
  subOption,
  tierOption,
  ttlMs,
  useOption,
} from './credential-options.js';
import { CommandFailure } from './failure.js';
import { say } from './output.js';

const EXAMPLES = `
Signs with AUTH_JWT_SECRET (or AUTH_JWT_SECRET_FILE). If AUTH_ISSUER and AUTH_AUDIENCE are set, the first of each goes into the token.
Standard output is the token and nothing else.

Examples:
  $ export AUTH_JWT_SECRET=$(openssl rand -hex 32)
  $ TOKEN=$(millrace token --sub alice --tier institutional --role trader --ttl 1h)
  $ millrace token --sub bob --entitlement 'quotes:*' --entitlement 'depth:BTC/*' --entitlement trades:full
  $ millrace token --sub carol --firm 'Acme Ltd' --professional true --use display --entitlement 'delayed:*'`;

/** What a gateway reads of tokens. */
const READ = ['AUTH_JWT_SECRET', 'AUTH_ISSUER', 'AUTH_AUDIENCE', 'AUTH_AUTHORIZED_PARTIES', 'AUTH_REQUIRED_SCOPE']
  .concat('AUTH_TOKEN_MAX_AGE', 'AUTH_CLOCK_TOLERANCE')
  .concat(Object.keys(claims.settings));

interface TokenOptions {
  readonly sub: string;
  readonly tier: Tier;
  readonly role: readonly string[];
  readonly entitlement?: readonly string[];
  readonly firm?: string;
  readonly professional?: boolean;
  readonly use?: Use;
  readonly ttl: number;
}

/** `millrace token`: creates a token signed with AUTH_JWT_SECRET. */
export function tokenCommand(): Command {
  return new Command('token')
    .description('create a signed token')
    .addOption(subOption())
    .addOption(tierOption())
    .addOption(roleOption())
    .addOption(entitlementOption())
    .addOption(firmOption())
    .addOption(professionalOption())
    .addOption(useOption())
    .addOption(
      new Option('--ttl <duration>', 'how long it is valid: 90s, 30m, 1h, 7d')
        .argParser(ttlMs)
        .default(3_600_000, '1h'),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: TokenOptions) => {
      say(await mint(options, process.env));
    });
}

async function mint(options: TokenOptions, env: NodeJS.ProcessEnv): Promise<string> {
  const settings = withFiles(env);
  if (givenText(settings, 'AUTH_JWT_SECRET') === undefined) {
    throw new CommandFailure(
      'AUTH_JWT_SECRET: not set; a token needs the secret that the gateway verifies with (at least 32 bytes). ' +
        'A gateway started without it prints a token for that run itself.',
    );
  }
  // Only settings about tokens: a server's other settings may be incomplete here.
  const { auth } = readConfig(Object.fromEntries(READ.map(name => [name, settings[name]])));
  const { secret = '', issuers, audiences, tokenMaxAgeMs } = auth;
  if (tokenMaxAgeMs !== undefined && options.ttl > tokenMaxAgeMs) {
    throw new CommandFailure('--ttl: longer than AUTH_TOKEN_MAX_AGE; a gateway would refuse the token');
  }
  const token = await mintToken({
    secret,
    sub: options.sub,
    tier: options.tier,
    roles: options.role,
    entitlements: options.entitlement,
    firm: options.firm,
    professional: options.professional,
    use: options.use,
    ttlMs: options.ttl,
    issuer: issuers[0],
    audience: audiences[0],
  });
  if (token.length > TOKEN_BYTES_MAX) {
    throw new CommandFailure(
      `the token would have ${token.length} bytes; a gateway refuses more than ${TOKEN_BYTES_MAX}`,
    );
  }
  await checkUse(token, auth, options);
  return token;
}

/** A gateway with these settings may read other claims, or require some that the token lacks. */
async function checkUse(token: string, auth: AuthConfig, options: TokenOptions): Promise<void> {
  const { sub, tier, role, firm, professional, use } = options;
  const result = await (await createTokenVerifier(auth)).verify(token);
  if (!result.ok) {
    throw new CommandFailure(`a gateway with these settings would refuse the token: ${refusalText(result)}`);
  }
  const { credential } = result;
  const isSame = credential.sub === sub && credential.tier === tier && credential.roles.join() === role.join();
  if (!isSame)
    throw new CommandFailure('a gateway with these AUTH_CLAIM_… settings would not read sub, tier and roles');
  const isDeclared = [credential.firm === firm, credential.professional === professional, credential.use === use];
  if (isDeclared.includes(false))
    throw new CommandFailure('a gateway with these AUTH_CLAIM_… settings would not read firm, professional and use');
}
