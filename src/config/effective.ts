/** The configuration as an operator sees it: each setting with its value and origin, secrets hidden. */
import { type Config, type Environment, givenText } from './environment.js';
import { hasSeveralWords, likelyMeant } from './misspelt.js';
import type { Setting, SettingGroup } from './setting.js';
import { SETTING_GROUPS, SETTINGS } from './settings-table.js';
import { acceptsForeignTokens, makesOwnKey } from './variables/auth.js';

export interface EffectiveSetting {
  readonly name: string;
  readonly group: string;
  /** Whether the environment sets it, or the default applies. */
  readonly origin: 'set' | 'default';
  /** The value in effect, as text; null: none. A secret is `(hidden)`. */
  readonly value: string | null;
  /** The text that the value is derived from: `auto`. */
  readonly from?: string;
}

/** @param config undefined if the environment is invalid: then no values are derived */
export function effectiveSettings(env: Environment, config: Config | undefined): readonly EffectiveSetting[] {
  const workedOut = config === undefined ? new Map<string, string>() : valuesWorkedOut(config);
  return SETTING_GROUPS.flatMap(group =>
    Object.entries(group.settings).map(([name, setting]) => effective(env, name, setting, group, workedOut.get(name))),
  );
}

function effective(
  env: Environment,
  name: string,
  setting: Setting<unknown>,
  { title: group }: SettingGroup,
  result: string | undefined,
): EffectiveSetting {
  const given = givenText(env, name);
  const text = given ?? setting.default;
  const origin = given === undefined ? 'default' : 'set';
  const shown = text === undefined || text === '' ? null : setting.type.show(text);
  if (result === undefined || result === shown) return { name, group, origin, value: shown };
  return { name, group, origin, value: result, ...(shown === null ? {} : { from: shown }) };
}

/** Values derived from other settings or from the machine, by variable. */
function valuesWorkedOut({
  feed,
  nats,
  host,
  workers,
  encoders,
  limits,
  anonymous,
  auth,
}: Config): Map<string, string> {
  const free = limits.connectionsMax - limits.reservedForCredentials;
  const values = new Map<string, string>([
    ['FEED', feed],
    ['HOST', host],
    ['WORKERS', String(workers)],
    ['ENCODERS', String(encoders)],
    ['AUTH_ANONYMOUS', anonymous ? 'on' : 'off'],
    ['WS_MAX_ANONYMOUS', String(Math.min(limits.anonymousMax, free))],
    ['WS_RESERVED_CREDENTIALS', String(limits.reservedForCredentials)],
    ['WS_RESERVED_INSTITUTIONAL', String(limits.reservedForInstitutional)],
    ['WS_MAX_CLIENT_TOPICS_PER_USER', String(limits.clientTopicsPerUserMax)],
  ]);
  if (feed === 'nats') values.set('NATS_URL', SETTINGS.get('NATS_URL')?.type.show(nats.url) ?? '');
  if (makesOwnKey(auth)) values.set('AUTH_JWT_SECRET', '(made for each run)');
  return values;
}

/** Settings that have no effect, look misspelt or are risky; the gateway starts anyway. */
export function settingNotices(env: Environment, config: Config | undefined): readonly string[] {
  const notices: string[] = [];
  for (const { feed, settings } of config === undefined ? [] : SETTING_GROUPS) {
    if (feed === undefined || feed === config?.feed) continue;
    for (const name of Object.keys(settings)) {
      if (givenText(env, name) !== undefined) notices.push(`${name}: has no effect, FEED is ${config?.feed}`);
    }
  }
  if (config !== undefined && acceptsForeignTokens(config.auth)) {
    notices.push(
      'AUTH_JWKS_URL, AUTH_JWKS_FILE: tokens that the issuer made for other applications are accepted too; ' +
        'set AUTH_AUDIENCE, AUTH_AUTHORIZED_PARTIES or AUTH_REQUIRED_SCOPE',
    );
  }
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || text === '' || SETTINGS.has(name) || hasSeveralWords(name)) continue;
    const meant = likelyMeant(name, SETTINGS.keys());
    if (meant !== undefined) notices.push(`${name}: is not a setting; did you mean ${meant}?`);
  }
  return notices;
}
