/** Every environment variable of the gateway, by group: the source of the documents, `--help` and `millrace check`. */
import { optional, type Setting, type SettingGroup } from './setting.js';
import { file } from './values.js';
import { authGroups } from './variables/auth.js';
import { clientGroups } from './variables/clients.js';
import { feedGroups } from './variables/feed.js';
import { fixGroups } from './variables/fix.js';
import { journalGroups } from './variables/journal.js';
import { processGroups } from './variables/process.js';
import { productGroups } from './variables/products.js';
import { surveillanceGroups } from './variables/surveillance.js';
import { tracing } from './variables/tracing.js';

/** The variable that names the file of a secret. */
export const secretFileName = (secret: string) => `${secret}_FILE`;

const DECLARED: readonly SettingGroup[] = [
  ...processGroups,
  ...feedGroups,
  ...authGroups,
  ...clientGroups,
  ...fixGroups,
  ...journalGroups,
  ...productGroups,
  ...surveillanceGroups,
  tracing,
];

/** Secrets that may stand in a file, which `withFiles` reads. Files that are declared are read by whoever needs them. */
export const SECRETS_IN_FILES: ReadonlySet<string> = new Set(
  DECLARED.flatMap(({ settings }) =>
    Object.entries(settings).flatMap(([name, { type }]) =>
      type.isSecret && settings[secretFileName(name)] === undefined ? [name] : [],
    ),
  ),
);

export const SETTING_GROUPS: readonly SettingGroup[] = DECLARED.map(withSecretFiles);

export const SETTINGS: ReadonlyMap<string, Setting<unknown>> = new Map(
  SETTING_GROUPS.flatMap(({ settings }) => Object.entries(settings)),
);

function withSecretFiles(group: SettingGroup): SettingGroup {
  const settings = Object.entries(group.settings).flatMap(([name, setting]): [string, Setting<unknown>][] =>
    SECRETS_IN_FILES.has(name)
      ? [
          [name, setting],
          [secretFileName(name), fileOf(name, setting)],
        ]
      : [[name, setting]],
  );
  return { ...group, settings: Object.fromEntries(settings) };
}

function fileOf(secret: string, { isReloaded }: Setting<unknown>): Setting<unknown> {
  const means = `File that holds \`${secret}\`, for secrets that are mounted. A line end at its end is ignored.`;
  return optional(file, { means, isReloaded });
}
