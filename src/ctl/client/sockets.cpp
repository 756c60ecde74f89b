#include "client/sockets.hpp"

#include <algorithm>
#include <filesystem>

namespace nfqws2::ctl {

std::string socket_folder() {
    std::error_code unknown;
    return std::filesystem::is_directory("/run", unknown) ? "/run/zapret2" : "/var/run/zapret2";
}

std::vector<std::string> socket_files(const std::string& folder) {
    std::vector<std::string> found;
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error)) {
        const std::string name = it->path().filename().string();
        std::error_code unknown;
        if (name.starts_with("nfqws2-") && name.ends_with(".sock") && it->is_socket(unknown))
            found.push_back(it->path().string());
    }
    std::sort(found.begin(), found.end());
    return found;
}

Choice choose_socket(const std::string& path, const std::string& queue, const std::string& folder,
                     bool (*is_live)(const std::string&)) {
    if (!path.empty()) return {path, {}};
    if (!queue.empty()) return {folder + "/nfqws2-" + queue + ".sock", {}};
    std::vector<std::string> files = socket_files(folder);
    if (files.empty())
        return {{},
                "no daemon has a control socket in " + folder +
                    "; start nfqws2 with --control=PATH, and name it with -s PATH"};
    // One alone is tried as it is, so that the reason is told why it does not answer.
    if (files.size() == 1) return {files[0], {}};
    const std::vector<std::string> all = files;
    std::erase_if(files, [&](const std::string& file) { return !is_live(file); });
    if (files.size() == 1) return {files[0], {}};
    std::string error = files.empty() ? "no daemon answers at any of these; choose one by -s:"
                                      : "several daemons run; choose one by -s or -q:";
    for (const std::string& file : files.empty() ? all : files)
        error += "\n  " + file;
    return {{}, error};
}

} // namespace nfqws2::ctl
