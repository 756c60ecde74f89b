#include "asker.hpp"

#ifdef NFQWS2_HAVE_CURL

#include <algorithm>
#include <array>
#include <chrono>
#include <curl/curl.h>
#include <iterator>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

// Theory of operation. There are as many handles of libcurl as connections were ever open at once;
// one is reset for each question, and every question is a connection of its own. The request is the
// one that the curl program would send for blockcheck2: results of both are compared.

namespace nfqws2::probe {

namespace {

// libcurl looks at all connections whenever one of them has something: with many of them it may
// wait a little until more have.
constexpr std::chrono::milliseconds least_pause(3);
constexpr std::size_t many_connections = 64;

struct ListFree {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListFree>;

struct EasyFree {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct Transfer {
    std::unique_ptr<CURL, EasyFree> easy;
    Question question;
    std::string location; // of the last answer
    List place;
    std::array<char, CURL_ERROR_SIZE> error{};
};

void append(List& list, const std::string& text) {
    curl_slist* const longer = curl_slist_append(list.get(), text.c_str());
    if (longer == nullptr) {
        return;
    }
    // The head stays the same unless there was none.
    [[maybe_unused]] curl_slist* const before = list.release();
    list.reset(longer);
}

std::size_t discard(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
}

// Notes where a redirect leads to. What counts is the last answer.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
    note_location(static_cast<Transfer*>(user)->location, {data, size * count});
    return size * count;
}

int set_mark(void* user, curl_socket_t socket, curlsocktype) {
    const std::uint32_t mark = static_cast<const Transfer*>(user)->question.mark;
    if (mark != 0 && setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
        return CURL_SOCKOPT_ERROR;
    }
    return CURL_SOCKOPT_OK;
}

// Where nothing is acknowledged any more, the kernel would go on to send the end of the connection
// for minutes, and keep the local port.
int close_socket(void*, curl_socket_t socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_retransmits > 0) {
        const linger at_once{1, 0};
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    return close(socket);
}

// The newest version stands in the upper half (CURL_SSLVERSION_MAX_...).
constexpr long this_version_only(long version) {
    return version | (version << 16);
}

// libcurl's own state of the process.
struct Global {
    const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    Global() = default;
    Global(const Global&) = delete;
    Global& operator=(const Global&) = delete;
    ~Global() { curl_global_cleanup(); }
};

class Transfers final : public Asker {
  public:
    explicit Transfers(const Options& options) : options_(options), multi_(curl_multi_init()) {
        for (const auto& header : options.headers) {
            append(headers_, header);
        }
    }
    ~Transfers() override;
    bool ready() const { return global_.code == CURLE_OK && multi_ != nullptr; }
    void ask(const Question& question) override;
    bool work(int milliseconds, std::vector<Answer>& answers) override;

  private:
    using Clock = std::chrono::steady_clock;

    Transfer* free_transfer();
    void set_up(Transfer& transfer);
    void set_up_tls(CURL* easy, Protocol protocol) const;
    void fail(const Question& question, std::string error);
    Attempt outcome(Transfer& transfer, CURLcode code) const;
    bool take_finished(std::vector<Answer>& answers);

    const Global global_; // outlives what stands below
    const Options& options_;
    CURLM* multi_;
    List headers_;
    std::vector<std::unique_ptr<Transfer>> transfers_;
    std::vector<Transfer*> free_;
    std::vector<Answer> failed_; // could not begin
    Clock::time_point last_;     // when libcurl had its last turn
};

Transfers::~Transfers() {
    for (const auto& transfer : transfers_) {
        curl_multi_remove_handle(multi_, transfer->easy.get());
    }
    transfers_.clear();
    curl_multi_cleanup(multi_);
}

// --- a request

Transfer* Transfers::free_transfer() {
    if (free_.empty()) {
        auto transfer = std::make_unique<Transfer>();
        transfer->easy.reset(curl_easy_init());
        if (!transfer->easy) {
            return nullptr;
        }
        free_.push_back(transfer.get());
        transfers_.push_back(std::move(transfer));
    }
    Transfer* const transfer = free_.back();
    free_.pop_back();
    return transfer;
}

void Transfers::fail(const Question& question, std::string error) {
    Attempt attempt;
    attempt.code = CURLE_OUT_OF_MEMORY;
    attempt.error = std::move(error);
    failed_.push_back({question.owner, question.number, std::move(attempt)});
}

void Transfers::ask(const Question& question) {
    Transfer* const transfer = free_transfer();
    if (transfer == nullptr) {
        fail(question, "out of memory");
        return;
    }
    transfer->question = question;
    set_up(*transfer);
    if (curl_multi_add_handle(multi_, transfer->easy.get()) != CURLM_OK) {
        free_.push_back(transfer);
        fail(question, "out of memory");
    }
}

void Transfers::set_up_tls(CURL* easy, Protocol protocol) const {
    if (protocol == Protocol::tls12) {
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, this_version_only(CURL_SSLVERSION_TLSv1_2));
    } else if (protocol == Protocol::tls13) {
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, this_version_only(CURL_SSLVERSION_TLSv1_3));
    } else {
#ifdef CURL_VERSION_HTTP3
        // CURL_HTTP_VERSION_3ONLY, younger than the oldest libcurl that compiles this
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, 31L);
#endif
    }
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_NOBODY, options_.head ? 1L : 0L);
    if (!options_.cacert.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options_.cacert.c_str());
    }
    if (options_.insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

void Transfers::set_up(Transfer& transfer) {
    CURL* const easy = transfer.easy.get();
    const Question& page = transfer.question;
    const bool plain = page.protocol == Protocol::http;
    curl_easy_reset(easy);
    transfer.error[0] = '\0';
    transfer.location.clear();
    transfer.place.reset();
    // The name is not looked up, and the port of the address is not in the request.
    append(transfer.place, connect_to(page, options_));
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer.place.get());
    curl_easy_setopt(easy, CURLOPT_URL, ((plain ? "http://" : "https://") + page.place).c_str());
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error.data());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.max_time));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_mark);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    if (headers_) {
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    }
    if (page.port != 0) {
        curl_easy_setopt(easy, CURLOPT_LOCALPORT, static_cast<long>(page.port));
        curl_easy_setopt(easy, CURLOPT_LOCALPORTRANGE, 1L);
    }
    if (!plain) {
        set_up_tls(easy, page.protocol);
    }
}

// --- its end

Attempt Transfers::outcome(Transfer& transfer, CURLcode code) const {
    CURL* const easy = transfer.easy.get();
    Attempt attempt;
    attempt.code = code;
    curl_off_t total = 0;
    curl_off_t connect = 0;
    curl_off_t bytes = 0;
    const char* address = nullptr;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &attempt.status);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    attempt.bytes = static_cast<std::uint64_t>(bytes);
    attempt.milliseconds = static_cast<std::uint64_t>(total / 1000);
    // Some versions count a TLS connection only when its handshake is over, but tell the address.
    attempt.connected = connect != 0 || (address != nullptr && *address != '\0');
    attempt.address = transfer.question.address;
    if (code != CURLE_OK) {
        attempt.error =
            "curl: (" + std::to_string(code) + ") " +
            (transfer.error[0] != '\0' ? transfer.error.data() : curl_easy_strerror(code));
    } else if (transfer.question.protocol == Protocol::http) {
        judge_http(attempt, transfer.location, transfer.question.host());
    }
    return attempt;
}

bool Transfers::take_finished(std::vector<Answer>& answers) {
    int left = 0;
    bool some = !failed_.empty();
    std::move(failed_.begin(), failed_.end(), std::back_inserter(answers));
    failed_.clear();
    while (CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        Transfer* transfer = nullptr;
        const CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        answers.push_back(
            {transfer->question.owner, transfer->question.number, outcome(*transfer, code)});
        curl_multi_remove_handle(multi_, transfer->easy.get());
        free_.push_back(transfer);
        some = true;
    }
    return some;
}

bool Transfers::work(int milliseconds, std::vector<Answer>& answers) {
    int still = 0;
    if (curl_multi_perform(multi_, &still) != CURLM_OK) {
        return false;
    }
    if (take_finished(answers)) {
        return true;
    }
    if (curl_multi_poll(multi_, nullptr, 0, milliseconds, nullptr) != CURLM_OK) {
        return false;
    }
    if (transfers_.size() - free_.size() > many_connections) {
        std::this_thread::sleep_until(last_ + least_pause);
    }
    last_ = Clock::now();
    return curl_multi_perform(multi_, &still) == CURLM_OK && (take_finished(answers), true);
}

} // namespace

std::unique_ptr<Asker> ask_by_libcurl(const Options& options) {
    auto transfers = std::make_unique<Transfers>(options);
    if (!transfers->ready()) {
        return nullptr;
    }
    return transfers;
}

} // namespace nfqws2::probe

#endif
