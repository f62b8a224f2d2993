/** What an operator does to the whole gateway: a notice to clients, the log level, a drain. Each asks first. */
import type { BroadcastResult, DrainResult, LogLevel } from './api-types.js';
import { confirmed, labelled, messageOf } from './dialogs.js';
import { element } from './dom.js';
import { count } from './format.js';
import type { Page, PageContext } from './page.js';
import { panel } from './panel.js';

const MESSAGE_MAX = 1_000;
/** What the gateway takes as `X-Operator`. */
const NAME_MAX = 64;
const NAME_PATTERN = '[ -~]*';
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export class ActionsPage implements Page {
  readonly title = 'Actions';
  readonly element: HTMLElement;
  readonly #context: PageContext;
  readonly #level = selectOf(LEVELS);
  readonly #levelNote = element('p', { class: 'note', attributes: { role: 'status' } });

  constructor(context: PageContext) {
    this.#context = context;
    this.element = element(
      'div',
      { class: 'actions' },
      panel('Operator', 'in the gateway’s log, beside everything that you do here', this.#operator()),
      panel('Notice to clients', 'a frame that applications may show to their users', this.#notice()),
      panel('Log level', 'until the next reload or restart', this.#logLevel(), this.#levelNote),
      panel('Drain', 'send all clients to other gateways', this.#drain()),
    );
  }

  start(): void {
    this.#context.api.get<LogLevel>('/log-level').then(
      answer => this.#showLevel(answer),
      (cause: unknown) => {
        this.#levelNote.textContent = messageOf(cause);
      },
    );
  }

  stop(): void {}

  #operator(): HTMLElement {
    const { api } = this.#context;
    const name = element('input', {
      attributes: { type: 'text', maxlength: String(NAME_MAX), pattern: NAME_PATTERN, autocomplete: 'name' },
    });
    name.value = api.operator;
    name.addEventListener('change', () => {
      if (name.reportValidity()) api.operator = name.value.trim();
    });
    name.title = 'Letters, digits and signs of ASCII';
    const forget = element('button', { text: 'Forget the token', attributes: { type: 'button' } });
    forget.hidden = !api.hasToken;
    forget.addEventListener('click', () => {
      api.forgetToken();
      forget.hidden = true;
      this.#context.say('This tab has no token any more.', 'good');
    });
    return element('div', { class: 'form' }, labelled('Your name', name), forget);
  }

  #notice(): HTMLElement {
    const message = element('textarea', { attributes: { rows: '3', maxlength: String(MESSAGE_MAX), required: '' } });
    const severity = selectOf(['info', 'warning', 'critical']);
    const to = selectOf(['all', 'user', 'topic'], ['all clients', 'one user', 'subscribers of a topic']);
    const name = element('input', { attributes: { type: 'text', autocomplete: 'off', spellcheck: 'false' } });
    const named = labelled('User or topic', name);
    named.hidden = true;
    to.addEventListener('change', () => {
      named.hidden = to.value === 'all';
    });
    const send = element('button', { class: 'primary', text: 'Send', attributes: { type: 'submit' } });
    const form = element('form', { class: 'form' }, labelled('Message', message));
    form.append(labelled('Severity', severity), labelled('To', to), named, send);
    form.addEventListener('submit', event => {
      event.preventDefault();
      const target = name.value.trim();
      if (to.value !== 'all' && target === '') {
        name.focus();
        return;
      }
      const recipients = to.value === 'all' ? { all: true } : { [to.value]: target };
      void this.#send(message.value.trim(), severity.value, recipients, to.value === 'all' ? 'all clients' : target);
    });
    return form;
  }

  async #send(message: string, severity: string, to: object, whom: string): Promise<void> {
    const { api, say } = this.#context;
    const said = await confirmed({
      title: 'Send this notice?',
      explanation: `To ${whom}, as ${severity}: “${message}”`,
      action: 'Send it',
      run: async reason => {
        const body = { message, severity, to, ...(reason === '' ? {} : { reason }) };
        const { sent, skipped } = await api.send<BroadcastResult>('POST', '/broadcast', body);
        const missed = skipped === 0 ? '' : ` ${count(skipped)} do not keep up and did not get it.`;
        return `Sent to ${count(sent)} connections.${missed}`;
      },
    });
    if (said !== undefined) say(said, 'good');
  }

  #logLevel(): HTMLElement {
    const set = element('button', { text: 'Set', attributes: { type: 'button' } });
    set.addEventListener('click', () => {
      this.#context.api.send<LogLevel>('PUT', '/log-level', { level: this.#level.value }).then(
        answer => {
          this.#showLevel(answer);
          this.#context.say(`The log level is ${answer.level}.`, 'good');
        },
        (cause: unknown) => this.#context.say(messageOf(cause), 'bad'),
      );
    });
    return element('div', { class: 'form row' }, labelled('Lowest level written', this.#level), set);
  }

  #showLevel({ level, configured }: LogLevel): void {
    this.#level.value = level;
    this.#levelNote.textContent = `LOG_LEVEL is ${configured}`;
  }

  #drain(): HTMLElement {
    const button = element('button', { class: 'danger', text: 'Drain this gateway', attributes: { type: 'button' } });
    button.addEventListener('click', () => void this.#confirmDrain());
    const text =
      'The gateway reports not ready, refuses new clients, and asks the others to reconnect, spread over DRAIN_TIMEOUT. ' +
      'Only a restart ends a drain.';
    return element('div', { class: 'form' }, element('p', { text }), button);
  }

  async #confirmDrain(): Promise<void> {
    const { api, stats, say } = this.#context;
    const node = stats()?.node ?? '';
    const open = stats()?.connections.open ?? 0;
    const said = await confirmed({
      title: `Drain ${node}?`,
      explanation: `Its ${count(open)} connections are redirected. Make sure that another gateway serves them.`,
      action: 'Drain it',
      typed: node,
      run: async reason => {
        const result = await api.send<DrainResult>('POST', '/drain', reason === '' ? {} : { reason });
        return result.already
          ? 'It was draining already.'
          : `Draining: ${count(result.connections)} connections are redirected.`;
      },
    });
    if (said !== undefined) say(said, 'good');
  }
}

function selectOf(values: readonly string[], labels: readonly string[] = values): HTMLSelectElement {
  const options = values.map((value, i) => element('option', { text: labels[i] ?? value, attributes: { value } }));
  return element('select', {}, ...options);
}
