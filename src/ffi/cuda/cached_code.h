// A disk cache of compiled kernels.
#pragma once
#include <unistd.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "libraries.h"

namespace geolearn::cuda {

using Code = std::vector<char>;

// FNV-1a hash; distinguishes files from each other and intact files from damaged ones.
inline uint64_t hash_of(const char *bytes, size_t count, uint64_t hash = 0xcbf29ce484222325) {
  for (size_t i = 0; i < count; i++) hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3;
  return hash;
}

// A file of compiled kernels, for later processes. Its name is a hash of the compiler version, options, driver version
// and source; it begins with a hash of the rest of its content.
struct CachedCode {
  std::string folder, path;

  CachedCode(const std::string &folder, const std::string &source, const std::vector<std::string> &options)
      : folder(folder) {
    if (folder.empty()) return;
    int numbers[3] = {};
    Libraries::get().compiler_version(&numbers[0], &numbers[1]);
    Libraries::get().driver_version(&numbers[2]);
    auto hash = hash_of(source.data(), source.size());
    for (auto &option : options) hash = hash_of(option.data(), option.size() + 1, hash);
    hash = hash_of(reinterpret_cast<const char *>(numbers), sizeof(numbers), hash);
    path = folder + "/layers-" + std::to_string(hash) + ".cubin";
  }

  // Returns nothing if the file is missing or damaged; the kernels are then compiled again.
  Code read() const try {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    int64_t size = file ? int64_t(file.tellg()) : 0;
    uint64_t hash;
    if (size <= int64_t(sizeof(hash)) || size > MOST_BYTES) return {};
    Code code(size - sizeof(hash));
    file.seekg(0);
    file.read(reinterpret_cast<char *>(&hash), sizeof(hash));
    file.read(code.data(), code.size());
    return file && hash_of(code.data(), code.size()) == hash ? code : Code();
  } catch (const std::exception &) {
    return {};
  }

  // Writes the file. If that fails, the next process compiles again.
  void write(const Code &code) const try {
    if (path.empty()) return;
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    auto hash = hash_of(code.data(), code.size());
    auto part = path + "." + std::to_string(getpid());
    {
      std::ofstream file(part, std::ios::binary);
      file.write(reinterpret_cast<const char *>(&hash), sizeof(hash));
      file.write(code.data(), code.size());
      if (!file.flush()) failed = std::make_error_code(std::errc::io_error);
    }
    if (!failed) std::filesystem::rename(part, path, failed);
    if (failed) std::filesystem::remove(part, failed);
  } catch (const std::exception &) {
  }

private:
  // The kernels for one dtype take about 130 KB.
  static constexpr int64_t MOST_BYTES = 16 << 20;
};

} // namespace geolearn::cuda
