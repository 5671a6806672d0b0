/* The load generator: many clients in one thread, so lean that the server is always the bottleneck.
 *
 *     load PORT DIALECT PATH GROUPS MEMBERS EACH IDLE DEAF SENDERS SIZE
 *
 * GROUPS x MEMBERS clients; those of one group are in the same EACH rooms. IDLE clients more only say hello, DEAF ones
 * join the first room and never read. SENDERS of each group send, texts of SIZE bytes. DIALECT: roomproof, plain (what
 * the peers speak) or socketio. It prints `ready {...}` when all are where they should be, then obeys standard input:
 *
 *     run RATE SECONDS WARMUP   messages a second over all rooms, evenly spaced whatever the server does (open loop)
 *     idle SECONDS              only answer
 *     storm SECONDS             the idle clients join the first room, evenly over the time
 *     look RATE SECONDS N       joins again a second, each for the last N messages (roomproof only)
 *     quit
 *
 * `begin` and `end` are printed where the measured time begins and ends, then `result {...}`: counts, and latencies
 * from the stamp in each text, the time at which it was due to be sent, to its being read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ = 1 << 18, BUCKETS = 64 * 40, AT_ONCE = 64, DRAIN_MS = 20000 };
enum state { NEW, UPGRADING, GREETING, JOINING, READY, CLOSED };
enum dialect { ROOMPROOF, PLAIN, SOCKETIO };

struct client {
    int fd, group, idle, deaf, joined; /* joined: how many of its rooms */
    enum state state;
    char *in; /* a frame that is not whole yet */
    size_t in_len;
    uint64_t *seqs; /* the last number seen in each of its rooms */
};
struct histogram { uint64_t counts[BUCKETS], n, max; };

static struct client *clients;
static int total, opened, arrived, ep, groups, members, each, senders, port;
static enum dialect dialect;
static size_t size;
static const char *path;
static uint64_t sent, refused, acked, delivered, in_window, closed, disorder, from, until;
static struct histogram deliveries, acks;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* In units of 16 ns, 64 buckets for each power of two: a percentile is right within 2 %. */
static void observe(struct histogram *h, uint64_t ns) {
    uint64_t v = ns >> 4;
    int shift = v < 64 ? 0 : 57 - __builtin_clzll(v);
    int bucket = v < 64 ? (int)v : 64 + shift * 64 + (int)(v >> shift) - 64;
    h->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++, h->n++;
    if (ns > h->max) h->max = ns;
}

static double percentile_ms(const struct histogram *h, double share) {
    uint64_t want = (uint64_t)((double)h->n * share), seen = 0;
    for (int b = 0; b < BUCKETS; b++)
        if ((seen += h->counts[b]) > want)
            return (double)(b < 64 ? (uint64_t)b : (uint64_t)(64 + b % 64) << (b / 64 - 1)) * 16e-6;
    return (double)h->max * 1e-6;
}

static void print_latency(const char *name, const struct histogram *h) {
    printf("\"%s\": {\"n\": %lu, \"p50\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"max\": %.4f}", name, h->n,
           percentile_ms(h, .5), percentile_ms(h, .99), percentile_ms(h, .999), (double)h->max * 1e-6);
}

static void end(struct client *c) {
    if (c->state == CLOSED) return;
    if (c->state == READY) arrived--;
    c->state = CLOSED, closed++;
    close(c->fd);
}

static void put(struct client *c, const char *data, size_t len) {
    while (len) { /* clients say little: to wait here is as good as a buffer, and happens hardly ever */
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) { poll(&(struct pollfd){c->fd, POLLOUT, 0}, 1, 100); continue; }
        if (n < 0) return end(c);
        data += n, len -= (size_t)n;
    }
}

/* A masked frame; a mask of zeros leaves the client nothing to do, and the server all of its work. */
static void frame(struct client *c, int opcode, const char *data, size_t len) {
    char out[8192 + 16];
    size_t h = 2;
    out[0] = (char)(0x80 | opcode);
    if (len < 126) out[1] = (char)(0x80 | len);
    else out[1] = (char)(0x80 | 126), out[2] = (char)(len >> 8), out[3] = (char)len, h = 4;
    memset(out + h, 0, 4);
    memcpy(out + h + 4, data, len);
    put(c, out, h + 4 + len);
}

static void text(struct client *c, const char *data) { frame(c, 1, data, strlen(data)); }

static int room_of(const struct client *c, int nth) { return c->group + nth * groups; }

static void join_next(struct client *c) {
    char line[256];
    int room = c->idle ? 0 : room_of(c, c->joined);
    if (dialect == ROOMPROOF) sprintf(line, "{\"type\":\"join\",\"id\":\"j\",\"room\":\"r%d\",\"history\":0}", room);
    if (dialect == PLAIN) sprintf(line, "{\"type\":\"join\",\"room\":\"r%d\"}", room);
    if (dialect == SOCKETIO) sprintf(line, "42[\"join\",{\"room\":\"r%d\"}]", room);
    text(c, line);
}

static void settle(struct client *c) {
    if (c->idle || c->joined == each) c->state = READY, arrived++;
    else c->state = JOINING, join_next(c);
    if (c->state == READY && c->deaf) epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
}

static void send_message(struct client *c, int room, uint64_t due) {
    static char line[8192], padding[4096 + 1];
    static uint64_t number;
    if (!padding[0]) memset(padding, 'x', 4096);
    int pad = (int)size - 17;
    if (dialect == ROOMPROOF)
        sprintf(line, "{\"type\":\"send\",\"id\":\"%016lx\",\"room\":\"r%d\",\"text\":\"%016lx %.*s\",\"mid\":\"m%015lx\"}", due, room, due, pad, padding, number++);
    if (dialect == PLAIN) sprintf(line, "{\"type\":\"send\",\"room\":\"r%d\",\"text\":\"%016lx %.*s\"}", room, due, pad, padding);
    if (dialect == SOCKETIO) sprintf(line, "42[\"send\",{\"room\":\"r%d\",\"text\":\"%016lx %.*s\"}]", room, due, pad, padding);
    sent++;
    text(c, line);
}

static uint64_t stamp(const char *hex) {
    uint64_t v = 0;
    for (int i = 0; i < 16; i++) v = v << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return v;
}

static int begins(const char *data, size_t len, const char *with) {
    size_t n = strlen(with);
    return len >= n && !memcmp(data, with, n);
}

static int has(const char *data, size_t len, const char *what) { return memmem(data, len, what, strlen(what)) != NULL; }

static void message(struct client *c, const char *data, size_t len, uint64_t now) {
    if (begins(data, len, dialect == SOCKETIO ? "42[\"message\"" : "{\"type\":\"message\"")) {
        const char *found = memmem(data, len, "\"text\":\"", 8);
        uint64_t due = stamp(found + 8);
        delivered++;
        if (now >= from && now < until) in_window++;
        if (due >= from && due < until) observe(&deliveries, now - due);
        const char *room = memmem(data, len, "\"room\":\"r", 9), *seq = memmem(data, len, "\"seq\":", 6);
        uint64_t *last = &c->seqs[(atoi(room + 9) / groups) % each], number = strtoull(seq + 6, NULL, 10);
        if (*last && number != *last + 1) disorder++;
        *last = number;
    } else if (begins(data, len, "{\"type\":\"sent\"")) {
        uint64_t due = stamp((char *)memmem(data, len, "\"re\":\"", 6) + 6);
        acked++;
        if (due >= from && due < until) observe(&acks, now - due);
    } else if (begins(data, len, "{\"type\":\"error\"")) {
        if (!refused++) fprintf(stderr, "refused: %.*s\n", (int)len, data);
    } else if (dialect == SOCKETIO && len == 1 && *data == '2') {
        text(c, "3"); /* Engine.IO's own ping */
    } else if (c->state == GREETING && dialect == SOCKETIO && *data == '0') {
        text(c, "40");
    } else if (c->state == GREETING && (dialect == SOCKETIO ? begins(data, len, "40") : has(data, len, "\"type\":\"welcome\""))) {
        settle(c);
    } else if (c->state == JOINING && has(data, len, dialect == SOCKETIO ? "\"joined\"" : "\"type\":\"joined\"")) {
        c->joined++;
        settle(c);
    } else if (c->state == READY && begins(data, len, "{\"type\":\"joined\"")) { /* a look at the history */
        acked++;
        if (now >= from && now < until) in_window++;
    }
}

static void upgraded(struct client *c) {
    c->state = GREETING;
    if (dialect == ROOMPROOF) text(c, "{\"type\":\"hello\",\"id\":\"h\"}");
    if (dialect == PLAIN) settle(c);
}

/* Take what is whole from the front and return how many bytes that was. */
static size_t take(struct client *c, const char *data, size_t len, uint64_t now) {
    if (c->state == UPGRADING) {
        const char *stop = memmem(data, len, "\r\n\r\n", 4);
        if (!stop) return 0;
        if (!begins(data, len, "HTTP/1.1 101")) { fprintf(stderr, "%.*s\n", (int)len, data); end(c); return len; }
        upgraded(c);
        return (size_t)(stop + 4 - data);
    }
    if (len < 2) return 0;
    const unsigned char *b = (const unsigned char *)data;
    size_t n = b[1] & 127, h = 2;
    if (n == 126) { if (len < (h = 4)) return 0; n = (size_t)b[2] << 8 | b[3]; }
    else if (n == 127) { if (len < (h = 10)) return 0; n = (size_t)b[6] << 24 | (size_t)b[7] << 16 | (size_t)b[8] << 8 | b[9]; }
    if (len < h + n) return 0;
    int opcode = b[0] & 15;
    if (opcode == 1 || opcode == 2) message(c, data + h, n, now);
    if (opcode == 8) end(c);
    if (opcode == 9) frame(c, 10, data + h, n);
    return h + n;
}

static void readable(struct client *c) {
    static char buffer[READ + (1 << 20)];
    size_t len = c->in_len, at = 0;
    if (len) memcpy(buffer, c->in, len);
    ssize_t n = recv(c->fd, buffer + len, READ, 0);
    if (n <= 0) { if (n == 0 || errno != EAGAIN) end(c); return; }
    uint64_t now = now_ns();
    len += (size_t)n;
    for (size_t used; at < len && c->state != CLOSED && (used = take(c, buffer + at, len - at, now)); at += used);
    if ((c->in_len = len - at)) memcpy(c->in = realloc(c->in, c->in_len), buffer + at, c->in_len);
}

static void open_one(void) {
    struct client *c = &clients[opened++];
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->deaf) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) { perror("connect"); exit(1); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
    char request[512];
    int n = sprintf(request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", path, port,
                    dialect == ROOMPROOF ? "Sec-WebSocket-Protocol: roomproof.v1\r\n" : "");
    c->state = UPGRADING;
    put(c, request, (size_t)n);
}

/* Handle what comes for at most so long. `attend`: commands count, too; true when there is one. */
static int serve(int64_t wait_ns, int attend) {
    static struct epoll_event events[512];
    struct timespec limit = {wait_ns < 0 ? 0 : wait_ns / 1000000000, wait_ns < 0 ? 0 : wait_ns % 1000000000};
    int command = 0, count = epoll_pwait2(ep, events, 512, &limit, NULL);
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr) { if (((struct client *)events[i].data.ptr)->state != CLOSED) readable(events[i].data.ptr); }
        else command = 1;
    return attend && command;
}

static void say(const char *line) { puts(line), fflush(stdout); }

static uint64_t expected(void) { return (dialect == ROOMPROOF ? sent - refused : sent) * (uint64_t)members; }

static void result(double seconds) {
    printf("result {\"sent\": %lu, \"refused\": %lu, \"acked\": %lu, \"delivered\": %lu, \"expected\": %lu, \"in_window\": %lu, "
           "\"closed\": %lu, \"disorder\": %lu, \"seconds\": %.6f, ", sent, refused, acked, delivered, expected(), in_window, closed, disorder, seconds);
    print_latency("latency", &deliveries), printf(", "), print_latency("ack", &acks), say("}");
    sent = refused = acked = delivered = in_window = disorder = 0;
    memset(&deliveries, 0, sizeof deliveries), memset(&acks, 0, sizeof acks);
}

static void run(double rate, double seconds, double warmup) {
    uint64_t start = now_ns() + 1000000, rooms = (uint64_t)groups * (uint64_t)each, count = (uint64_t)(rate * (seconds + warmup)), began = 0;
    from = start + (uint64_t)(warmup * 1e9), until = from + (uint64_t)(seconds * 1e9);
    for (uint64_t i = 0; i < count;) {
        uint64_t due = start + (uint64_t)((double)i * 1e9 / rate), now = now_ns();
        if (!began && now >= from) say("begin"), began = now;
        if (due <= now) {
            uint64_t room = i % rooms, turn = i / rooms;
            struct client *c = &clients[room % (uint64_t)groups * (uint64_t)members + (turn + room / (uint64_t)groups) % (uint64_t)senders];
            if (c->state == READY) send_message(c, (int)room, due);
            i++;
            if (i % 8) continue;
            due = now;
        }
        serve((int64_t)(due - now), 0);
    }
    while (now_ns() < until) serve((int64_t)(until - now_ns()), 0);
    if (!began) say("begin"), began = now_ns();
    double measured = (double)(now_ns() - began) * 1e-9;
    say("end");
    for (uint64_t limit = now_ns() + DRAIN_MS * 1000000ull; now_ns() < limit && (delivered < expected() || (dialect == ROOMPROOF && acked + refused < sent));) serve(50000000, 0);
    result(measured);
}

static void idle(double seconds) {
    uint64_t start = now_ns(), stop = start + (uint64_t)(seconds * 1e9);
    say("begin");
    while (now_ns() < stop) serve((int64_t)(stop - now_ns()), 0);
    say("end");
    result((double)(now_ns() - start) * 1e-9);
}

static void storm(double seconds) {
    uint64_t start = now_ns();
    int first = groups * members, count = 0, waiting = 0;
    for (int i = first; i < total; i++) count += clients[i].idle;
    say("begin");
    for (int i = 0; i < count; i++) {
        struct client *c = &clients[first + i];
        uint64_t due = start + (uint64_t)((double)i * seconds * 1e9 / count);
        for (uint64_t now; (now = now_ns()) < due;) serve((int64_t)(due - now), 0);
        if (c->state == READY) c->state = JOINING, arrived--, join_next(c);
        serve(0, 0);
    }
    for (uint64_t limit = now_ns() + 5000000000u; now_ns() < limit;) {
        for (waiting = 0; waiting < count && clients[first + waiting].state == READY; waiting++);
        if (waiting == count) break;
        serve(10000000, 0);
    }
    for (uint64_t limit = now_ns() + 500000000u; now_ns() < limit;) serve(10000000, 0);
    say("end");
    result((double)(now_ns() - start) * 1e-9);
}

static void look(double rate, double seconds, int history) {
    char line[256];
    from = now_ns(), until = from + (uint64_t)(seconds * 1e9);
    say("begin");
    for (uint64_t i = 0; i < (uint64_t)(rate * seconds); i++) {
        uint64_t due = from + (uint64_t)((double)i * 1e9 / rate);
        for (uint64_t now; (now = now_ns()) < due;) serve((int64_t)(due - now), 0);
        struct client *c = &clients[i % (uint64_t)total];
        sprintf(line, "{\"type\":\"join\",\"id\":\"l\",\"room\":\"r%d\",\"history\":%d}", c->group, history);
        text(c, line), sent++;
    }
    while (now_ns() < until) serve((int64_t)(until - now_ns()), 0);
    say("end");
    for (uint64_t limit = now_ns() + DRAIN_MS * 1000000ull; now_ns() < limit && acked < sent;) serve(50000000, 0);
    result(seconds);
}

int main(int argc, char **argv) {
    if (argc != 11) return fprintf(stderr, "usage: load PORT DIALECT PATH GROUPS MEMBERS EACH IDLE DEAF SENDERS SIZE\n"), 2;
    port = atoi(argv[1]), path = argv[3], groups = atoi(argv[4]), members = atoi(argv[5]), each = atoi(argv[6]);
    dialect = !strcmp(argv[2], "roomproof") ? ROOMPROOF : !strcmp(argv[2], "plain") ? PLAIN : SOCKETIO;
    int quiet = atoi(argv[7]), deaf = atoi(argv[8]);
    senders = atoi(argv[9]), size = (size_t)atoi(argv[10]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
    total = groups * members + quiet + deaf;
    clients = calloc((size_t)total, sizeof *clients);
    ep = epoll_create1(0);
    for (int i = 0; i < total; i++) {
        struct client *c = &clients[i];
        c->group = i < groups * members ? i / members : 0;
        c->idle = i >= groups * members && i < groups * members + quiet, c->deaf = i >= groups * members + quiet;
        c->seqs = calloc((size_t)each, sizeof *c->seqs);
    }
    uint64_t start = now_ns();
    while (arrived < total) { /* a few at a time, or it would be the backlog that is measured */
        while (opened < total && opened - arrived < AT_ONCE) open_one();
        serve(10000000, 0);
        if (closed || now_ns() - start > 120000000000u) return fprintf(stderr, "%d of %d joined, %lu closed\n", arrived, total, closed), 1;
    }
    printf("ready {\"clients\": %d, \"seconds\": %.6f}\n", total, (double)(now_ns() - start) * 1e-9), fflush(stdout);
    epoll_ctl(ep, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
    setvbuf(stdin, NULL, _IONBF, 0);
    for (char line[256];;) {
        if (!serve(1000000000, 1)) continue;
        double a = 0, b = 0, c = 0;
        if (!fgets(line, sizeof line, stdin) || begins(line, strlen(line), "quit")) return 0;
        if (sscanf(line, "run %lf %lf %lf", &a, &b, &c) == 3) run(a, b, c);
        else if (sscanf(line, "look %lf %lf %lf", &a, &b, &c) == 3) look(a, b, (int)c);
        else if (sscanf(line, "idle %lf", &a) == 1) idle(a);
        else if (sscanf(line, "storm %lf", &a) == 1) storm(a);
        else say("unknown");
    }
}
