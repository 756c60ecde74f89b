// Runs a tool's main function in a child process, as a shell would.
#pragma once

#include <string>
#include <vector>

namespace nfqws2::tools::testing {

struct ToolResult {
    int code = -1;
    std::string out;
    std::string err;
};

using ToolMain = int (*)(int argc, char** argv);

// argv[0] is "tool". `stdout_path`, if not empty, is where stdout goes instead of the result.
ToolResult run_tool(ToolMain tool_main, const std::vector<std::string>& arguments,
                    const std::string& input = {}, const std::string& stdout_path = {});

// A file that holds `content` and goes away with the object.
class TempFile {
  public:
    explicit TempFile(const std::string& content = {});
    ~TempFile();
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;

    const std::string& path() const { return path_; }
    int fd() const { return fd_; } // at offset 0 after construction
    std::string content() const;

  private:
    std::string path_;
    int fd_ = -1;
};

// "a b c" -> "a\nb\nc\n"
std::string lines(const std::string& words);

} // namespace nfqws2::tools::testing
