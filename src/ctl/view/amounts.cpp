#include "view/amounts.hpp"

#include "nfqws2/base/text.hpp"

#include <cmath>

namespace nfqws2::ctl {

std::string size_text(std::int64_t bytes) {
    if (bytes < 1000) return std::to_string(bytes) + " B";
    static constexpr const char* units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = static_cast<double>(bytes);
    int unit = -1;
    do {
        value /= 1000;
        unit++;
    } while (value >= 999.5 && unit < 5);
    return format(value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

std::string duration_text(std::int64_t ms) {
    if (ms < 1000) return std::to_string(ms) + " ms";
    if (ms < 10'000) return format("%.1f s", static_cast<double>(ms) / 1000);
    const std::int64_t s = ms / 1000, min = s / 60, h = min / 60, d = h / 24;
    const auto both = [](std::int64_t a, const char* unit, std::int64_t b, const char* smaller) {
        std::string text = std::to_string(a) + " " + unit;
        if (b != 0) text += " " + std::to_string(b) + " " + smaller;
        return text;
    };
    if (s < 60) return std::to_string(s) + " s";
    if (min < 60) return both(min, "min", min < 10 ? s % 60 : 0, "s");
    if (h < 24) return both(h, "h", min % 60, "min");
    return both(d, "d", h % 24, "h");
}

std::string count_text(std::int64_t count) {
    std::string digits = std::to_string(count);
    const std::size_t first = count < 0 ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3;)
        digits.insert(at -= 3, " ");
    return digits;
}

std::string rate_text(double per_second) {
    if (!std::isfinite(per_second) || per_second < 0.05) return "0";
    if (per_second < 9.95) return format("%.1f", per_second);
    return count_text(static_cast<std::int64_t>(std::min(per_second, 9e15) + 0.5));
}

} // namespace nfqws2::ctl
