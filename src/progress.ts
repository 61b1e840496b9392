import process from 'node:process';

/** Where progress is shown. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

const BAR = 24;
/** What a bar shrinks to before a note is cut. */
const LEAST_BAR = 8;
const REDRAW_MS = 100;
/** Without a terminal a line is written now and then instead of redrawing one. */
const LINE_MS = 15_000;

/**
 * One line that shows how far a piece of work is: `Training  ━━━━━╌╌╌╌  120/400  loss 2.31  1:20 left`.
 * It goes to stderr, so that results on stdout stay clean.
 */
export class Progress {
  readonly #title: string;
  readonly #total: number | undefined;
  readonly #stream: ProgressStream | undefined;
  readonly #show: (count: number) => string;
  readonly #start = performance.now();
  #shown = 0;
  #done = 0;
  #from = 0;
  #line = '';
  #note = '';

  /**
   * @param total undefined when it is not known: then the count and its rate are shown
   * @param silent shows nothing at all
   * @param show writes a count, where it is not of things but of bytes or the like
   */
  constructor(
    title: string,
    total: number | undefined,
    silent: boolean,
    stream: ProgressStream = process.stderr,
    show: (count: number) => string = String,
  ) {
    this.#show = show;
    this.#title = title;
    this.#total = total;
    this.#stream = silent ? undefined : stream;
    if (stream.isTTY !== true) this.#shown = performance.now();
  }

  /** Of work that goes on where it stopped: what was done before tells nothing of its speed. */
  startAt(done: number): void {
    this.#from = done;
    this.#done = done;
  }

  update(done: number, note = this.#note): void {
    this.#done = done;
    this.#note = note;
    const now = performance.now();
    if (now - this.#shown < (this.#stream?.isTTY ? REDRAW_MS : LINE_MS)) return;
    this.#shown = now;
    this.#draw();
  }

  /** Writes a line of its own without disturbing the bar. */
  log(line: string): void {
    if (!this.#stream) return;
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${line}\n` : `${line}\n`);
    if (this.#stream.isTTY) this.#draw();
  }

  finish(note = this.#note): void {
    this.#note = note;
    this.#draw();
    if (this.#stream?.isTTY) this.#stream.write('\n');
  }

  #draw(): void {
    if (!this.#stream) return;
    const seconds = (performance.now() - this.#start) / 1000;
    const width = (this.#stream.columns ?? 120) - 1;
    const line =
      this.#total === undefined ? this.#countLine(seconds, width) : this.#barLine(seconds, this.#total, width);
    // Without a terminal nothing is gained by the same line again.
    if (!this.#stream.isTTY && line === this.#line) return;
    this.#line = line;
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  #countLine(seconds: number, width: number): string {
    const rate = `${((this.#done - this.#from) / Math.max(seconds, 1e-3)).toFixed(1)} a second`;
    return fitted([this.#title, this.#show(this.#done), rate], this.#note, formatDuration(seconds), width);
  }

  #barLine(seconds: number, total: number, width: number): string {
    const share = total === 0 ? 1 : Math.min(1, this.#done / total);
    const done = this.#done - this.#from;
    const left = done > 0 ? `${formatDuration((seconds * (total - this.#done)) / done)} left` : '';
    const time = this.#done >= total ? formatDuration(seconds) : left;
    const count = `${this.#show(this.#done)}/${this.#show(total)}`;
    const room = (...rest: string[]) => width - joined([this.#title, count, ...rest, time]).length - 2;
    const size = Math.max(0, Math.min(room(), Math.max(LEAST_BAR, Math.min(BAR, room(this.#note)))));
    const filled = Math.round(share * size);
    const bar = '━'.repeat(filled) + '╌'.repeat(size - filled);
    return fitted([this.#title, bar, count], this.#note, time, width);
  }
}

function joined(parts: readonly string[]): string {
  return parts.filter(Boolean).join('  ');
}

/** A line of at most `width` characters: the note in its middle gives way, so that the time at its end is seen. */
function fitted(before: readonly string[], note: string, time: string, width: number): string {
  const most = note.length + width - joined([...before, note, time]).length;
  const short = note.length <= most ? note : most > 1 ? `${note.slice(0, most - 1).trimEnd()}…` : '';
  return joined([...before, short, time]).slice(0, Math.max(0, width));
}

/** `5,120 tok/s`, `3.4 rows/s`; nothing before there is a rate. */
export function formatRate(perSecond: number, unit: string): string {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return '';
  const digits = perSecond < 10 ? 1 : 0;
  return `${perSecond.toLocaleString('en', { maximumFractionDigits: digits })} ${unit}/s`;
}

/** `0:07`, `12:30`, `2:05:00` */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
