import { describe, expect, it } from 'vitest';
import { fittingPackages, type Host, misfit, thisHost } from '../../../../src/gateway/native/uws-packages.js';

const OLDER = 'uWebSockets.js';
const NEWER = '@btc-vision/uwebsockets.js';
const bookworm: Host = { platform: 'linux', arch: 'x64', node: '22.12.0', glibc: '2.36' };
const trixie: Host = { ...bookworm, glibc: '2.41' };

describe('R75 the uWebSockets package of a machine', () => {
  it.each<[string, Host, readonly string[]]>([
    ['Node 20 on Debian 12', { ...bookworm, node: '20.19.0' }, [OLDER]],
    ['Node 22 on Debian 12', bookworm, [OLDER]],
    ['Node 20 on Debian 13', { ...trixie, node: '20.19.0' }, [NEWER, OLDER]],
    ['Node 22 on Debian 13', trixie, [NEWER, OLDER]],
    ['Node 24 on Debian 13', { ...trixie, node: '24.4.1' }, [NEWER]],
    ['Node 24 on glibc 2.38 exactly', { ...trixie, node: '24.0.0', glibc: '2.38' }, [NEWER]],
    ['Node 24 on a later major of glibc', { ...trixie, node: '24.0.0', glibc: '3.0' }, [NEWER]],
    ['Node 24 on macOS', { platform: 'darwin', arch: 'arm64', node: '24.4.1', glibc: undefined }, [NEWER]],
    ['Node 22 on Windows', { platform: 'win32', arch: 'x64', node: '22.12.0', glibc: undefined }, [NEWER, OLDER]],
    ['Node 22 on a 32 bit ARM', { ...trixie, arch: 'arm' }, [OLDER]],
  ])('fits %s', (_, host, packages) => {
    expect(fittingPackages(host)).toEqual(packages);
    expect(misfit(host)).toBeUndefined();
  });

  it.each<[string, Host, RegExp]>([
    [
      'Node 24 on Debian 12',
      { ...bookworm, node: '24.4.1' },
      /needs glibc 2\.38, and this system has 2\.36: .*Node 22 on this system$/,
    ],
    [
      'a Node without a binary',
      { ...trixie, node: '23.1.0' },
      /no binary for Node 23\.1\.0: run Millrace on Node 18, 20, 21, 22, 24, 25$/,
    ],
    ['Alpine', { ...trixie, glibc: undefined }, /without glibc \(musl/],
    [
      'a glibc older than any binary',
      { ...bookworm, glibc: '2.17' },
      /this system has 2\.17: use a newer system \(Debian 13, Ubuntu 24\.04\)$/,
    ],
    [
      'another processor',
      { ...trixie, arch: 's390x' },
      /no binary for linux-s390x: run Millrace on one of linux-x64, /,
    ],
    [
      'another system',
      { platform: 'freebsd', arch: 'x64', node: '22.12.0', glibc: undefined },
      /no binary for freebsd-x64/,
    ],
  ])('says in one line why none fits %s', (_, host, line) => {
    expect(fittingPackages(host)).toEqual([]);
    expect(misfit(host)).toMatch(line);
    expect(misfit(host)).not.toContain('\n');
  });

  it('finds a package for the machine that runs this test, and loads it', async () => {
    const [expected] = fittingPackages(thisHost());
    const { App, uwsPackage } = await import('../../../../src/gateway/native/uws.js');
    expect(uwsPackage).toBe(expected);
    const app = App();
    app.close();
  });
});
