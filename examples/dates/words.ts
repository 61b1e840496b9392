/** A day of the Gregorian calendar, at midnight UTC. */
export type Day = Date;

/** How English says a day: `the third of May, …` or `May the third, …`, either with the day of the week in front. */
export interface Style {
  readonly monthFirst: boolean;
  readonly weekday: boolean;
}

const ONES = {
  en: `one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen`.split(/\s+/),
  de: `ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn
    neunzehn`.split(/\s+/),
};

const TENS = {
  en: 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' '),
  de: 'zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig'.split(' '),
};

const monthNames = { en: namer('en', { month: 'long' }), de: namer('de', { month: 'long' }) };
const weekdayNames = { en: namer('en', { weekday: 'long' }), de: namer('de', { weekday: 'long' }) };

/** `Saturday, the twenty-third of May, nineteen eighty-seven` */
export function english(day: Day, { monthFirst, weekday }: Style): string {
  const [month, ordinal] = [monthNames.en(day), englishOrdinal(day.getUTCDate())];
  const name = monthFirst ? `${month} the ${ordinal}` : `the ${ordinal} of ${month}`;
  return `${weekday ? `${weekdayNames.en(day)}, ` : ''}${name}, ${englishYear(day.getUTCFullYear())}`;
}

/** `Samstag, der dreiundzwanzigste Mai neunzehnhundertsiebenundachtzig` */
export function german(day: Day, { weekday }: Pick<Style, 'weekday'>): string {
  const name = `der ${germanOrdinal(day.getUTCDate())} ${monthNames.de(day)} ${germanYear(day.getUTCFullYear())}`;
  return weekday ? `${weekdayNames.de(day)}, ${name}` : name;
}

/** 1 to 99: `seven`, `eighty-seven`. */
export function englishNumber(n: number): string {
  if (n < 20) return ONES.en[n - 1]!;
  return [TENS.en[Math.floor(n / 10) - 2], ...(n % 10 > 0 ? [ONES.en[(n % 10) - 1]] : [])].join('-');
}

/** 1 to 99 as parts of longer words: `ein`, `siebenundachtzig`. */
export function germanNumber(n: number): string {
  if (n < 20) return ONES.de[n - 1]!;
  return `${n % 10 > 0 ? `${ONES.de[(n % 10) - 1]}und` : ''}${TENS.de[Math.floor(n / 10) - 2]}`;
}

const ENGLISH_ORDINALS: Readonly<Record<string, string>> = {
  one: 'first',
  two: 'second',
  three: 'third',
  five: 'fifth',
  eight: 'eighth',
  nine: 'ninth',
  twelve: 'twelfth',
  twenty: 'twentieth',
  thirty: 'thirtieth',
};

/** 1 to 31. */
export function englishOrdinal(n: number): string {
  return englishNumber(n).replace(/[a-z]+$/, (last) => ENGLISH_ORDINALS[last] ?? `${last}th`);
}

const GERMAN_ORDINALS: Readonly<Record<number, string>> = { 1: 'erste', 3: 'dritte', 7: 'siebte', 8: 'achte' };

/** 1 to 31, as they stand behind `der`. */
export function germanOrdinal(n: number): string {
  return GERMAN_ORDINALS[n] ?? `${germanNumber(n)}${n < 20 ? 'te' : 'ste'}`;
}

/** 1100 to 2099: `nineteen hundred`, `nineteen oh seven`, `two thousand and seven`, `twenty twenty-seven`. */
export function englishYear(year: number): string {
  const [centuries, rest] = [Math.floor(year / 100), year % 100];
  if (centuries === 20 && rest < 10) return `two thousand${rest > 0 ? ` and ${englishNumber(rest)}` : ''}`;
  const ending = rest === 0 ? 'hundred' : rest < 10 ? `oh ${englishNumber(rest)}` : englishNumber(rest);
  return `${englishNumber(centuries)} ${ending}`;
}

/** 1100 to 2099: `neunzehnhundertsieben`, `zweitausendsieben`. A number's own last word has an s: `zweitausendeins`. */
export function germanYear(year: number): string {
  const rest = year % 100;
  const head = year < 2000 ? `${germanNumber(Math.floor(year / 100))}hundert` : 'zweitausend';
  return `${head}${rest === 0 ? '' : rest === 1 ? 'eins' : germanNumber(rest)}`;
}

/** One field of a day in a language. */
function namer(language: string, field: Intl.DateTimeFormatOptions): (day: Day) => string {
  const format = new Intl.DateTimeFormat(language, { ...field, timeZone: 'UTC' });
  return (day) => format.format(day);
}
