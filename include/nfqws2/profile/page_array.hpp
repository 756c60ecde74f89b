// Growing array of plain values in pages of its own. Unlike the heap it grows without copying,
// untouched capacity costs nothing, and freed memory goes back to the system at once: a list of a
// million entries is replaced at run time on machines with 64 MB.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace nfqws2::profile {

class Pages {
  public:
    Pages() = default;
    Pages(Pages&& o) noexcept
        : data_(std::exchange(o.data_, nullptr)), bytes_(std::exchange(o.bytes_, 0)) {}
    Pages& operator=(Pages&& o) noexcept {
        std::swap(data_, o.data_);
        std::swap(bytes_, o.bytes_);
        return *this;
    }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages();

    void resize(std::size_t bytes); // keeps the contents; throws std::bad_alloc
    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

  private:
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

template <typename T> class PageArray {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    PageArray() = default;
    PageArray(PageArray&& o) noexcept
        : pages_(std::move(o.pages_)), size_(std::exchange(o.size_, 0)) {}
    PageArray& operator=(PageArray&& o) noexcept {
        pages_ = std::move(o.pages_);
        std::swap(size_, o.size_);
        return *this;
    }

    void push_back(const T& value) {
        if (size_ == pages_.bytes() / sizeof(T)) pages_.resize(pages_.bytes() * 2 + sizeof(T));
        data()[size_++] = value;
    }
    void resize(std::size_t size) { // new values are zero
        pages_.resize(size * sizeof(T));
        size_ = size;
    }
    void truncate(std::size_t size) { size_ = size < size_ ? size : size_; }
    void shrink() { pages_.resize(size_ * sizeof(T)); }

    T* data() { return static_cast<T*>(pages_.data()); }
    const T* data() const { return static_cast<const T*>(pages_.data()); }
    T* begin() { return data(); }
    T* end() { return data() + size_; }
    const T* begin() const { return data(); }
    const T* end() const { return data() + size_; }
    T& operator[](std::size_t i) { return data()[i]; }
    const T& operator[](std::size_t i) const { return data()[i]; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::size_t memory() const { return pages_.bytes(); }

  private:
    Pages pages_;
    std::size_t size_ = 0;
};

} // namespace nfqws2::profile
