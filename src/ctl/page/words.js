// The words of the page. Every key is in both languages (a test looks).
const words = {
  en: {
    skip: "Skip to the contents", sections: "Sections", language: "Русский",
    overview: "Overview", flows: "Flows", hosts: "Hosts", learn: "Learned", lists: "Lists", ladder: "Ladder", doctor: "Doctor",
    blockcheck: "Blocking",
    running: "running for {0}", gone: "no answer",
    packets: "Packets", traffic: "Traffic", treated: "Modified and dropped", flowsNow: "Flows",
    memory: "Memory", losses: "Errors and losses", perSecond: "/s", lastHour: "last hour",
    modifiedDropped: "{0} modified, {1} dropped in all", newFlows: "{0} seen, {1} evicted",
    inAll: "{0} in all", heldNow: "packets held: {0}", luaErrors: "{0} Lua errors, {1} lost by the queue",
    profiles: "Profiles", profile: "Profile", called: "Called", sent: "Sent",
    modified: "Modified", dropped: "Dropped", errors: "Errors", packetsOf: "Packets", flowsOf: "Flows",
    daemon: "The daemon", version: "version", pid: "process", queue: "queue", workers: "workers",
    features: "uses", config: "options from", options: "options in force", messages: "Errors since the start",
    noErrors: "No errors since the start.", ago: "{0} ago",
    filterFlows: "Filter: host, address, profile, state", filterHosts: "Filter: host name",
    countOf: "{0} of {1}", noFlows: "No connection fits.", noHosts: "No host name is known at this moment.",
    client: "client", server: "server", host: "host", protocol: "protocol", state: "state", age: "age",
    idle: "idle", out: "sent", in: "received", held: "held packets", retransmissions: "retransmissions",
    cutoff: "left alone by scripts", yes: "yes", no: "no",
    traceThis: "Trace this", whyThis: "Why", pickFlow: "Choose a connection to see more of it.",
    pickHost: "Choose a name to see what is done with it.", answeredOf: "{0} of {1} answered",
    connections: "connections", silent: "no answer", resets: "Lists that have it", noList: "No list has it.",
    atFirst: "At the first packet", onceKnown: "Once name and protocol are known", wins: "wins",
    refusedBy: "refused by --{0}", calls: "calls {0}", callsNot: "does not call {0}",
    reload: "Read again", reloading: "Reading ...", reloaded: "The lists were read again.",
    entries: "Entries", size: "Size", kind: "Kind", file: "List", listAge: "Age", loaded: "loaded",
    loading: "loading", notLoaded: "not loaded", automatic: "automatic", noLists: "This daemon has no lists.",
    ladderIntro: "Who sent what, packet by packet: live from the daemon, or from a file of nfqws2 --trace.",
    traceHost: "Host name, empty: everything", start: "Start", stopTrace: "Stop", openFile: "Open a file",
    waiting: "Waiting for packets. Open the site now.", tracedPackets: "{0} packets", lostPackets: "{0} lost",
    notATrace: "This file is no trace.", fileTooLarge: "This file is too large; nfqws2ctl ladder draws it.",
    original: "original", piece: "piece", decoy: "decoy", changed: "changed", hostName: "host name",
    strategyOf: "strategy {0}", pinnedTo: "pinned: {0}", pin: "Pin", unpin: "No longer pinned", forget: "Forget this host",
    allHosts: "all hosts", noneLearned: "Nothing was learned yet.", pickLearned: "Choose a host to see its strategies.",
    worked: "Worked", lastWorked: "last",
    problem: "problem", warning: "warning", note: "note", thisMachine: "this machine", whatToDo: "What to do:",
    lookAgain: "Look again", looking: "Looking ...", findings: "findings: {0}", nothingFound: "Nothing found.",
    when: "looked at", sites: "sites", scanLevel: "level", whatWorks: "What works", kindOfBlocking: "Kind of blocking",
    strategiesWork: "strategies that work: {0}", worksAlone: "works without a strategy", nothingWorks: "no strategy works",
    notTested: "not tested", others: "Others: {0}", andMore: "and {0} more",
    optionsLearn: "NFQWS2_OPT that learns", optionsBest: "NFQWS2_OPT, the best strategies",
    neverChecked: "blockcheck2 has not been run here yet. blockcheck2.sh finds out what is blocked, how, and what helps.",
    "kind by name": "by name", "kind by address": "by address", "kind by protocol": "by protocol",
    "kind no connection": "no connection", "kind connection refused": "connection refused", "kind RST": "reset (RST)",
    "kind closed": "closed", "kind drop": "packets are dropped", "kind redirect": "redirect to another site",
    "kind cut after 16 kB": "cut after 16 kB", "kind stall": "the answer stops", "kind slow-down": "slowed down",
    "kind certificate changed": "certificate changed", "kind certificate unknown": "certificate unknown",
    "kind DNS answers changed": "DNS answers changed",
    asking: "Asking the daemon ...", failed: "That did not work: {0}",
  },
  ru: {
    skip: "К содержимому", sections: "Разделы", language: "English",
    overview: "Обзор", flows: "Потоки", hosts: "Хосты", learn: "Выучено", lists: "Списки", ladder: "Лестница", doctor: "Доктор",
    blockcheck: "Блокировки",
    running: "работает {0}", gone: "нет ответа",
    packets: "Пакеты", traffic: "Трафик", treated: "Изменено и отброшено", flowsNow: "Потоки",
    memory: "Память", losses: "Ошибки и потери", perSecond: "/с", lastHour: "последний час",
    modifiedDropped: "всего изменено {0}, отброшено {1}", newFlows: "всего {0}, вытеснено {1}",
    inAll: "всего {0}", heldNow: "отложено пакетов: {0}", luaErrors: "ошибок Lua {0}, потерь очереди {1}",
    profiles: "Профили", profile: "Профиль", called: "Вызван", sent: "Послано",
    modified: "Изменено", dropped: "Отброшено", errors: "Ошибки", packetsOf: "Пакеты", flowsOf: "Потоки",
    daemon: "Демон", version: "версия", pid: "процесс", queue: "очередь", workers: "потоков работы",
    features: "использует", config: "параметры из", options: "действующие параметры", messages: "Ошибки с начала работы",
    noErrors: "С начала работы ошибок не было.", ago: "{0} назад",
    filterFlows: "Фильтр: хост, адрес, профиль, состояние", filterHosts: "Фильтр: имя хоста",
    countOf: "{0} из {1}", noFlows: "Подходящих соединений нет.", noHosts: "Сейчас имена хостов неизвестны.",
    client: "клиент", server: "сервер", host: "хост", protocol: "протокол", state: "состояние", age: "возраст",
    idle: "молчит", out: "послано", in: "получено", held: "отложено пакетов", retransmissions: "повторы",
    cutoff: "скрипты больше не смотрят", yes: "да", no: "нет",
    traceThis: "Проследить", whyThis: "Почему", pickFlow: "Выберите соединение, чтобы узнать о нём больше.",
    pickHost: "Выберите имя, чтобы увидеть, что с ним делается.", answeredOf: "ответов {0} из {1}",
    connections: "соединения", silent: "нет ответа", resets: "Списки, где оно есть", noList: "Ни в одном списке его нет.",
    atFirst: "При первом пакете", onceKnown: "Когда известны имя и протокол", wins: "выбран",
    refusedBy: "не подошёл: --{0}", calls: "вызывает {0}", callsNot: "не вызывает {0}",
    reload: "Перечитать", reloading: "Читаю ...", reloaded: "Списки перечитаны.",
    entries: "Записи", size: "Размер", kind: "Вид", file: "Список", listAge: "Возраст", loaded: "загружен",
    loading: "загружается", notLoaded: "не загружен", automatic: "автоматический", noLists: "У этого демона нет списков.",
    ladderIntro: "Кто что послал, пакет за пакетом: сейчас от демона или из файла nfqws2 --trace.",
    traceHost: "Имя хоста, пусто: всё", start: "Начать", stopTrace: "Остановить", openFile: "Открыть файл",
    waiting: "Жду пакетов. Откройте сайт.", tracedPackets: "пакетов: {0}", lostPackets: "потеряно: {0}",
    notATrace: "Этот файл не трассировка.", fileTooLarge: "Файл слишком велик; его рисует nfqws2ctl ladder.",
    original: "исходный", piece: "часть", decoy: "обманка", changed: "изменён", hostName: "имя хоста",
    strategyOf: "стратегия {0}", pinnedTo: "закреплена: {0}", pin: "Закрепить", unpin: "Открепить", forget: "Забыть этот хост",
    allHosts: "все хосты", noneLearned: "Пока ничего не выучено.", pickLearned: "Выберите хост, чтобы увидеть его стратегии.",
    worked: "Помогла", lastWorked: "последний раз",
    problem: "неисправность", warning: "предупреждение", note: "замечание", thisMachine: "эта машина", whatToDo: "Что делать:",
    lookAgain: "Проверить снова", looking: "Проверка ...", findings: "найдено: {0}", nothingFound: "Всё в порядке.",
    when: "проверено", sites: "сайты", scanLevel: "уровень", whatWorks: "Что работает", kindOfBlocking: "Вид блокировки",
    strategiesWork: "работающих стратегий: {0}", worksAlone: "работает без стратегии", nothingWorks: "ни одна стратегия не помогает",
    notTested: "не проверено", others: "Другие: {0}", andMore: "и ещё {0}",
    optionsLearn: "NFQWS2_OPT, который учится", optionsBest: "NFQWS2_OPT, лучшие стратегии",
    neverChecked: "blockcheck2 здесь ещё не запускали. blockcheck2.sh выясняет, что и как блокируется и что помогает.",
    "kind by name": "по имени", "kind by address": "по адресу", "kind by protocol": "по протоколу",
    "kind no connection": "нет соединения", "kind connection refused": "соединение отклонено", "kind RST": "сброс (RST)",
    "kind closed": "соединение закрыто", "kind drop": "пакеты отбрасываются", "kind redirect": "перенаправление на другой сайт",
    "kind cut after 16 kB": "обрыв после 16 кБ", "kind stall": "ответ замирает", "kind slow-down": "замедление",
    "kind certificate changed": "сертификат подменён", "kind certificate unknown": "сертификат неизвестен",
    "kind DNS answers changed": "ответы DNS подменены",
    asking: "Спрашиваю демон ...", failed: "Не получилось: {0}",
  },
};

const units = {
  en: { bytes: ["B", "kB", "MB", "GB", "TB"], time: { ms: "ms", s: "s", min: "min", h: "h", d: "d" } },
  ru: { bytes: ["Б", "кБ", "МБ", "ГБ", "ТБ"], time: { ms: "мс", s: "с", min: "мин", h: "ч", d: "д" } },
};

function stored() {
  try { return localStorage.getItem("language"); } catch { return null; }
}

let language = stored() || (navigator.language.startsWith("ru") ? "ru" : "en");
if (!words[language]) language = "en";

export const current = () => language;

export function other() {
  language = language === "ru" ? "en" : "ru";
  try { localStorage.setItem("language", language); } catch { /* for this page only then */ }
}

export function word(key, ...values) {
  return words[language][key].replace(/\{(\d)\}/g, (_, n) => String(values[n]));
}

word.has = (key) => key in words[language];

export function count(value) {
  return Number(value || 0).toLocaleString(language).replace(/\u00a0/g, "\u202f");
}

export function rate(value) {
  if (!Number.isFinite(value) || value < 0.05) return "0";
  return value < 9.95 ? value.toLocaleString(language, { maximumFractionDigits: 1 }) : count(Math.round(value));
}

export function size(bytes) {
  let value = Number(bytes || 0), unit = 0;
  while (value >= 999.5 && unit < 4) { value /= 1000; unit++; }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return value.toLocaleString(language, { maximumFractionDigits: digits }) + "\u00a0" + units[language].bytes[unit];
}

export function duration(ms) {
  const unit = units[language].time, s = Math.floor(ms / 1000), min = Math.floor(s / 60), h = Math.floor(min / 60);
  if (ms < 1000) return `${Math.round(ms)}\u00a0${unit.ms}`;
  if (s < 60) return `${s}\u00a0${unit.s}`;
  if (min < 60) return `${min}\u00a0${unit.min}`;
  if (h < 24) return `${h}\u00a0${unit.h} ${min % 60}\u00a0${unit.min}`;
  return `${Math.floor(h / 24)}\u00a0${unit.d} ${h % 24}\u00a0${unit.h}`;
}

export const keys = () => Object.fromEntries(Object.entries(words).map(([name, all]) => [name, Object.keys(all)]));
