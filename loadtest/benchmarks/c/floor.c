/* The floor: the least a server can do that gives each recipient a send() of its own.
 *
 * One thread, epoll, no JSON: it finds the room and the text in what came, numbers the message, frames it once
 * and calls send() for every member. What the kernel does not take waits in a buffer. It trusts its clients.
 *
 *     floor            prints the port on loopback that it took, then serves until it is killed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_FDS = 1 << 17, MOST_ROOMS = 1 << 17, READ = 1 << 16 };

struct conn {
    int open, upgraded, writing;    /* writing: EPOLLOUT is asked for */
    char *in, *out;                 /* a frame that is not whole yet; what the kernel has not taken */
    size_t in_len, out_len, out_size;
};
struct room { int *members, count, size; uint64_t seq; };

static struct conn conns[MOST_FDS];
static struct room rooms[MOST_ROOMS];
static int ep;

/* SHA-1 and base64 of RFC 6455's handshake. */
static void sha1(const unsigned char *data, size_t len, unsigned char out[20]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char block[128] = {0};
    memcpy(block, data, len);
    block[len] = 0x80;
    size_t total = len + 9 <= 64 ? 64 : 128;
    for (int i = 0; i < 8; i++) block[total - 1 - i] = (unsigned char)(((uint64_t)len * 8) >> (8 * i));
    for (size_t at = 0; at < total; at += 64) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)block[at + 4 * i] << 24 | block[at + 4 * i + 1] << 16 | block[at + 4 * i + 2] << 8 | block[at + 4 * i + 3];
        for (int i = 16; i < 80; i++) {
            uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = x << 1 | x >> 31;
        }
        for (int i = 0; i < 80; i++) {
            uint32_t f, k;
            if (i < 20) f = (b & c) | (~b & d), k = 0x5A827999;
            else if (i < 40) f = b ^ c ^ d, k = 0x6ED9EBA1;
            else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
            else f = b ^ c ^ d, k = 0xCA62C1D6;
            uint32_t t = (a << 5 | a >> 27) + f + e + k + w[i];
            e = d, d = c, c = b << 30 | b >> 2, b = a, a = t;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const unsigned char *in, size_t len, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < len ? in[i + 1] << 8 : 0) | (i + 2 < len ? in[i + 2] : 0);
        *out++ = digits[v >> 18], *out++ = digits[v >> 12 & 63];
        *out++ = i + 1 < len ? digits[v >> 6 & 63] : '=', *out++ = i + 2 < len ? digits[v & 63] : '=';
    }
    *out = 0;
}

static void forget(int fd) {
    for (int r = 0; r < MOST_ROOMS; r++)
        for (int m = 0; m < rooms[r].count; m++)
            if (rooms[r].members[m] == fd) rooms[r].members[m--] = rooms[r].members[--rooms[r].count];
    free(conns[fd].in), free(conns[fd].out);
    memset(&conns[fd], 0, sizeof conns[fd]);
    close(fd);
}

static void give(int fd, const char *data, size_t len) {
    struct conn *c = &conns[fd];
    if (!c->out_len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n == (ssize_t)len) return;
        if (n < 0 && errno != EAGAIN) return; /* its end is heard of by reading */
        if (n > 0) data += n, len -= (size_t)n;
    }
    if (c->out_len + len > c->out_size) c->out = realloc(c->out, c->out_size = 2 * (c->out_len + len));
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
    if (!c->writing) {
        epoll_ctl(ep, EPOLL_CTL_MOD, fd, &(struct epoll_event){.events = EPOLLIN | EPOLLOUT, .data.fd = fd});
        c->writing = 1;
    }
}

static void drain(int fd) {
    struct conn *c = &conns[fd];
    ssize_t n = send(fd, c->out, c->out_len, MSG_NOSIGNAL);
    if (n > 0) memmove(c->out, c->out + n, c->out_len -= (size_t)n);
    if (!c->out_len) {
        epoll_ctl(ep, EPOLL_CTL_MOD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
        c->writing = 0;
    }
}

static size_t head(char *out, int opcode, size_t len) {
    out[0] = (char)(0x80 | opcode);
    if (len < 126) return out[1] = (char)len, 2;
    out[1] = 126, out[2] = (char)(len >> 8), out[3] = (char)len;
    return 4;
}

static void message(int fd, char *data, size_t len) {
    char *name = memmem(data, len, "\"room\":\"r", 9), *text = memmem(data, len, "\"text\":\"", 8);
    if (!name) return;
    int number = atoi(name + 9);
    if (number < 0 || number >= MOST_ROOMS) return;
    struct room *room = &rooms[number];
    char body[READ + 256], frame[READ + 256];
    if (!text) { /* a join */
        if (room->count == room->size) room->members = realloc(room->members, sizeof(int) * (size_t)(room->size = 2 * room->size + 8));
        room->members[room->count++] = fd;
        size_t n = (size_t)sprintf(body, "{\"type\":\"joined\",\"room\":\"r%d\"}", number);
        size_t h = head(frame, 1, n);
        memcpy(frame + h, body, n);
        give(fd, frame, h + n);
        return;
    }
    int rest = (int)(data + len - text);
    size_t n = (size_t)sprintf(body, "{\"type\":\"message\",\"room\":\"r%d\",\"seq\":%lu,%.*s", number, ++room->seq, rest, text);
    size_t h = head(frame, 1, n);
    memcpy(frame + h, body, n);
    for (int m = 0; m < room->count; m++) give(room->members[m], frame, h + n);
}

static size_t upgrade(int fd, char *data, size_t len) {
    char *end = memmem(data, len, "\r\n\r\n", 4), *key = memmem(data, len, "Sec-WebSocket-Key: ", 19);
    if (!end || !key) return 0;
    unsigned char joined[60], digest[20];
    char accept[32], answer[256];
    memcpy(joined, key + 19, 24);
    memcpy(joined + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    sha1(joined, 60, digest);
    base64(digest, 20, accept);
    int n = sprintf(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    give(fd, answer, (size_t)n);
    conns[fd].upgraded = 1;
    return (size_t)(end + 4 - data);
}

/* Take what is whole from the front; return how many bytes that were, or -1 when the connection is over. */
static ssize_t take(int fd, unsigned char *data, size_t len) {
    if (!conns[fd].upgraded) return (ssize_t)upgrade(fd, (char *)data, len);
    if (len < 6) return 0;
    size_t size = data[1] & 127, start = 6;
    if (size == 126) size = (size_t)data[2] << 8 | data[3], start = 8;
    if (size == 127) return -1; /* longer than anything the benchmark sends */
    if (len < start + size) return 0;
    unsigned char *mask = data + start - 4;
    for (size_t i = 0; i < size; i++) data[start + i] ^= mask[i & 3];
    int opcode = data[0] & 15;
    if (opcode == 8) return -1;
    if (opcode == 1) message(fd, (char *)data + start, size);
    return (ssize_t)(start + size);
}

static void readable(int fd) {
    static char buffer[2 * READ];
    struct conn *c = &conns[fd];
    size_t len = c->in_len, at = 0;
    memcpy(buffer, c->in, len);
    ssize_t n = recv(fd, buffer + len, READ, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) forget(fd);
        return;
    }
    len += (size_t)n;
    while (at < len) {
        ssize_t used = take(fd, (unsigned char *)buffer + at, len - at);
        if (used < 0) return forget(fd);
        if (!used) break;
        at += (size_t)used;
    }
    if ((c->in_len = len - at)) memcpy(c->in = realloc(c->in, c->in_len), buffer + at, c->in_len);
}

int main(void) {
    struct rlimit files = {MOST_FDS, MOST_FDS};
    if (setrlimit(RLIMIT_NOFILE, &files)) getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return perror("floor"), 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port)), fflush(stdout);
    ep = epoll_create1(0);
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    for (struct epoll_event events[256];;) {
        int count = epoll_wait(ep, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                for (int client; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    if (client >= MOST_FDS) { close(client); continue; }
                    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    conns[client].open = 1;
                    epoll_ctl(ep, EPOLL_CTL_ADD, client, &(struct epoll_event){.events = EPOLLIN, .data.fd = client});
                }
                continue;
            }
            if (events[i].events & EPOLLOUT) drain(fd);
            if (conns[fd].open && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(fd);
        }
    }
}
