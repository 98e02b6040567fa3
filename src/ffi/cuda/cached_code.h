// Compiled kernels on disk.
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

// FNV-1a: tells files apart, and a whole one from a broken one.
inline uint64_t hash_of(const char *bytes, size_t count, uint64_t hash = 0xcbf29ce484222325) {
  for (size_t i = 0; i < count; i++) hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3;
  return hash;
}

// A file of compiled kernels, for the next process. Its name tells compiler, options, driver and source; its first bytes are a hash
// of the rest.
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

  // Nothing where there is no such file, or not a whole one: then kernels are compiled again.
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

  // Where it cannot be written, the next process compiles again.
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
  // Kernels for one dtype take some 130 KB.
  static constexpr int64_t MOST_BYTES = 16 << 20;
};

} // namespace geolearn::cuda
