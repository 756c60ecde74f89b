#include "ladder/words.hpp"

namespace nfqws2::ctl {
namespace {

constexpr Words english = {
    .machine = "this machine",
    .network = "network",
    .piece = "piece",
    .whole = "the whole message",
    .as_it_was = "as it was",
    .changed = "changed",
    .decoy = "decoy",
    .overlap = "overlap + piece",
    .readable = "name readable",
    .partly = "part of the name",
    .bytes = "%lld bytes",
    .position = "from byte %lld",
    .bad_sum = "wrong checksum",
    .fragment = "IP fragment",
    .dropped = "dropped",
    .held = "held back until the message is whole",
    .whole_now = "the message is whole",
    .by_timer = "sent by a timer",
    .released = "let go as it was",
    .passed = "%lld packets pass",
    .more_sent = "and %lld more",
    .more_rows = "%lld more packets are left out",
    .failed = "error: ",
    .urgent = "urgent byte",
    .legend_host = "host name",
    .original = "original",
    .no_flow = "packets without a flow",
    .profile = "profile ",
    .title = "Who sent what",
    .more_ladders = "%lld more flows are left out",
    .nothing = "There is no packet in this trace.",
    .skipped = "%lld lines are none of a trace",
};

constexpr Words russian = {
    .machine = "эта машина",
    .network = "сеть",
    .piece = "часть",
    .whole = "всё сообщение",
    .as_it_was = "как был",
    .changed = "изменён",
    .decoy = "обманка",
    .overlap = "перекрытие + часть",
    .readable = "имя читается",
    .partly = "часть имени",
    .bytes = "%lld байт",
    .position = "с байта %lld",
    .bad_sum = "неверная сумма",
    .fragment = "IP-фрагмент",
    .dropped = "отброшен",
    .held = "ждёт, пока сообщение не придёт целиком",
    .whole_now = "сообщение пришло целиком",
    .by_timer = "отправлено по таймеру",
    .released = "отпущен как был",
    .passed = "проходит пакетов: %lld",
    .more_sent = "и ещё %lld",
    .more_rows = "не показано пакетов: %lld",
    .failed = "ошибка: ",
    .urgent = "срочный байт",
    .legend_host = "имя хоста",
    .original = "исходный",
    .no_flow = "пакеты без потока",
    .profile = "профиль ",
    .title = "Кто что послал",
    .more_ladders = "не показано потоков: %lld",
    .nothing = "В этой трассировке нет пакетов.",
    .skipped = "строк не из трассировки: %lld",
};

} // namespace

const Words& words(std::string_view language) {
    return language == "ru" ? russian : english;
}

} // namespace nfqws2::ctl
