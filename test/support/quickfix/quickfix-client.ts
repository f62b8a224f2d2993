/** The QuickFIX initiator (initiator.cpp), built once where a compiler and Debian's libquickfix-dev are. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS, until } from '../until.js';

const SOURCE = fileURLToPath(new URL('./initiator.cpp', import.meta.url));
const DICTIONARY = fileURLToPath(new URL('../../../ops/fix/FIX44-millrace.xml', import.meta.url));
/** What clients are told to use. */
const SETTINGS = fileURLToPath(new URL('../../../ops/fix/quickfix.cfg', import.meta.url));
const HEADER = '/usr/include/quickfix/Session.h';
const COMPILER = '/usr/bin/g++';

export const hasQuickFix = existsSync(HEADER) && existsSync(COMPILER);

/** Builds the program. @returns its path, in a folder of its own */
export function buildInitiator(): string {
  const program = join(mkdtempSync(join(tmpdir(), 'quickfix-')), 'initiator');
  execFileSync(COMPILER, ['-std=c++14', '-O0', '-w', '-o', program, SOURCE, '-lquickfix', '-lpthread']);
  return program;
}

interface QuickFixOptions {
  readonly program: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly senderCompId: string;
  /** Lines of settings that are added to those of ops/fix/quickfix.cfg. */
  readonly settings?: readonly string[];
}

export class QuickFixClient {
  /** Messages of each kind, readable: `8=FIX.4.4|9=…|`. */
  readonly app: string[] = [];
  readonly admin: string[] = [];
  readonly sent: string[] = [];
  logons = 0;
  logouts = 0;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #rest = '';

  /** @param folder where QuickFIX keeps its sequence numbers: give it again to continue */
  constructor({ program, port, user, password, senderCompId, settings = [] }: QuickFixOptions, folder: string) {
    const file = join(folder, 'initiator.cfg');
    const given = new Map([
      ['SocketConnectHost', '127.0.0.1'],
      ['SocketConnectPort', String(port)],
      ['SenderCompID', senderCompId],
      ['ReconnectInterval', '1'],
      ['HeartBtInt', '5'],
      ['FileStorePath', join(folder, 'store')],
      ['FileLogPath', join(folder, 'log')],
      ['DataDictionary', DICTIONARY],
    ]);
    const lines = readFileSync(SETTINGS, 'utf8')
      .split('\n')
      .map(line => {
        const value = given.get(line.split('=')[0] ?? '');
        return value === undefined ? line : `${line.split('=')[0]}=${value}`;
      });
    lines.push(...settings);
    writeFileSync(file, `${lines.join('\n')}\n`);
    this.#child = spawn(program, [file, user, password], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#exited = new Promise(resolve => this.#child.once('exit', resolve));
    this.#child.stdout?.on('data', bytes => this.#read(String(bytes)));
  }

  /** Types of the messages that it sent to reject one of ours: there must be none. */
  get rejectsSent(): string[] {
    return this.sent.filter(message => /\|35=[3j]\|/.test(message));
  }

  /** @param body fields from 35 on, `35=V|262=1|…` */
  send(body: string): void {
    this.#child.stdin?.write(`send ${body}\n`);
  }

  order(line: 'logon' | 'logout'): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  loggedOn(times = 1): Promise<unknown> {
    return until(() => this.logons >= times, PATIENCE_MS, `QuickFIX has logged on ${times} times`);
  }

  async stop(): Promise<void> {
    this.#child.stdin?.write('stop\n');
    this.#child.stdin?.end();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await this.#exited;
    clearTimeout(late);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [kind, message = ''] = line.split(/ (.*)/s);
      if (kind === 'app') this.app.push(message);
      else if (kind === 'admin') this.admin.push(message);
      else if (kind === 'sent') this.sent.push(message);
      else if (kind === 'logon') this.logons++;
      else if (kind === 'logout') this.logouts++;
    }
  }
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'quickfix-store-'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
