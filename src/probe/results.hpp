// The results of a batch, for the shell.
#pragma once

#include "item.hpp"

#include <cstdio>
#include <string>
#include <vector>

namespace nfqws2::probe {

// As run_batch() says (batch.hpp). False: they could not be written.
bool write_results(const std::vector<Item>& items, const std::string& said, std::FILE* results);

} // namespace nfqws2::probe
