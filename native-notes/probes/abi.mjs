import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { probe } from './probe.mjs';
import { uws, uwsPackage } from './uws.mjs';

/** What Millrace imports, and what it calls on an App. A release without one of them is not a drop-in. */
const EXPORTS = [
  'App',
  'SSLApp',
  'us_listen_socket_close',
  'us_socket_local_port',
  'LIBUS_LISTEN_EXCLUSIVE_PORT',
  'DISABLED',
  'SHARED_COMPRESSOR',
];
const METHODS = [
  'ws',
  'get',
  'any',
  'listen',
  'publish',
  'numSubscribers',
  'close',
  'getDescriptor',
  'addChildAppDescriptor',
  'removeChildAppDescriptor',
];

await probe(
  'the installed package has a binary for this Node and the API that Millrace uses',
  async ({ check, note }) => {
    const entry = fileURLToPath(import.meta.resolve(uwsPackage));
    let folder = dirname(entry);
    while (!readdirSync(folder).includes('package.json')) folder = dirname(folder);
    const { name, version, engines } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    note(`package ${name}@${version}, engines ${JSON.stringify(engines ?? {})}`);

    const files = readdirSync(folder, { recursive: true }).map(String);
    const binaries = files.map(file => /uws_(\w+?)_(\w+?)_(\d+)\.node$/.exec(file)).filter(match => match !== null);
    /** @type {Map<string, string[]>} */
    const platforms = new Map();
    for (const [, system, cpu, abi] of binaries)
      platforms.set(`${system}_${cpu}`, [...(platforms.get(`${system}_${cpu}`) ?? []), abi]);
    for (const [platform, abis] of platforms)
      note(`${platform}: ABI ${abis.sort((a, b) => Number(a) - Number(b)).join(', ')}`);
    const here = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
    check(
      binaries.some(([file]) => file.endsWith(here)),
      `Node ${process.version} is ABI ${process.versions.modules}: ${here} is there`,
    );

    const exported = Object.keys(uws);
    const missing = EXPORTS.filter(name => !exported.includes(name));
    check(
      missing.length === 0,
      `named exports ${missing.length === 0 ? EXPORTS.join(', ') : `missing: ${missing.join(', ')}`}`,
    );
    note(`a default export is ${exported.includes('default') ? 'there' : 'not there'}: import by name`);
    const app = uws.App();
    const absent = METHODS.filter(name => typeof app[name] !== 'function');
    check(
      absent.length === 0,
      `App methods ${absent.length === 0 ? METHODS.join(', ') : `missing: ${absent.join(', ')}`}`,
    );
    app.close();
  },
);
