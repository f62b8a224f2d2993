/**
 * Which uWebSockets package fits a machine. uWebSockets is not on npm; two packages repack its binaries, and each covers
 * other versions of Node and of the C library. This module only decides; it loads nothing, so any process may ask it.
 * (native-notes/uws.md, "The binary in use")
 */

/** What decides which binary loads. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  /** Node's version without the `v`. */
  readonly node: string;
  /** Version of the C library, such as `2.36`; undefined off Linux, and on Linux without glibc (musl). */
  readonly glibc: string | undefined;
}

interface UwsPackage {
  /** What `import` takes. */
  readonly specifier: string;
  readonly nodeMajors: readonly number[];
  /** Lowest glibc, on Linux. */
  readonly glibc: readonly [number, number];
  /** `platform-arch` pairs with a binary. */
  readonly platforms: readonly string[];
}

/** The first that fits is the one to load: newer releases of uWebSockets stand first. */
const PACKAGES: readonly UwsPackage[] = [
  {
    specifier: '@btc-vision/uwebsockets.js',
    nodeMajors: [20, 22, 24, 25],
    glibc: [2, 38],
    platforms: ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64'],
  },
  {
    specifier: 'uWebSockets.js',
    nodeMajors: [18, 20, 21, 22],
    glibc: [2, 27],
    platforms: ['linux-x64', 'linux-arm64', 'linux-arm', 'darwin-x64', 'darwin-arm64', 'win32-x64'],
  },
];

/** The machine this process runs on. */
export function thisHost(): Host {
  const { platform, arch, versions } = process;
  return { platform, arch, node: versions.node, glibc: platform === 'linux' ? glibcVersion() : undefined };
}

/**
 * The packages with a binary for `host`, best first. Empty when none has one; `misfit` then says why.
 * @returns names to import
 */
export function fittingPackages(host: Host): readonly string[] {
  return PACKAGES.filter(candidate => fits(candidate, host)).map(({ specifier }) => specifier);
}

/** One line on why no package fits `host`, and what to do; undefined when one fits. */
export function misfit(host: Host): string | undefined {
  if (fittingPackages(host).length > 0) return undefined;
  const major = majorOf(host.node);
  const onPlatform = PACKAGES.filter(({ platforms }) => platforms.includes(`${host.platform}-${host.arch}`));
  if (onPlatform.length === 0) {
    const all = [...new Set(PACKAGES.flatMap(({ platforms }) => platforms))].join(', ');
    return `uWebSockets has no binary for ${host.platform}-${host.arch}: run Millrace on one of ${all}`;
  }
  if (host.platform === 'linux' && host.glibc === undefined) {
    return 'uWebSockets has no binary for Linux without glibc (musl, as in Alpine): run Millrace on Debian, Ubuntu or another glibc system';
  }
  const covering = onPlatform.filter(({ nodeMajors }) => nodeMajors.includes(major));
  if (covering.length === 0) {
    const majors = [...new Set(onPlatform.flatMap(({ nodeMajors }) => nodeMajors))].sort((a, b) => a - b);
    return `uWebSockets has no binary for Node ${host.node}: run Millrace on Node ${majors.join(', ')}`;
  }
  const [needed] = covering as [UwsPackage];
  const older = onPlatform.filter(({ glibc }) => isAtLeast(host.glibc, glibc)).flatMap(({ nodeMajors }) => nodeMajors);
  const advice = older.length === 0 ? '' : `, or Node ${Math.max(...older)} on this system`;
  return (
    `uWebSockets' binary for Node ${major} needs glibc ${needed.glibc.join('.')}, and this system has ${host.glibc}: ` +
    `use a newer system (Debian 13, Ubuntu 24.04)${advice}`
  );
}

function fits({ nodeMajors, glibc, platforms }: UwsPackage, host: Host): boolean {
  if (!platforms.includes(`${host.platform}-${host.arch}`) || !nodeMajors.includes(majorOf(host.node))) return false;
  return host.platform !== 'linux' || isAtLeast(host.glibc, glibc);
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

function isAtLeast(version: string | undefined, [major, minor]: readonly [number, number]): boolean {
  if (version === undefined) return false;
  const [hereMajor = 0, hereMinor = 0] = version.split('.').map(Number);
  return hereMajor > major || (hereMajor === major && hereMinor >= minor);
}

/** Node's report is the only place that says which C library runs the process. */
function glibcVersion(): string | undefined {
  // Without this the report looks up the names of all peers. The typings do not have it yet.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}
