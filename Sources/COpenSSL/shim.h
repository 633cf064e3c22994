// OpenSSL 3 for Swift: the headers, and functions in place of the macros that Swift does not import.
#ifndef TAPLINE_COPENSSL_SHIM_H
#define TAPLINE_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline int tapline_ctx_set_minimum(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}
static inline void tapline_ctx_set_mode(SSL_CTX *context, long mode) { SSL_CTX_set_mode(context, mode); }
static inline void tapline_ctx_set_read_ahead(SSL_CTX *context, int on) { SSL_CTX_set_read_ahead(context, on); }
static inline void tapline_ctx_set_cache_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}
static inline int tapline_ctx_set_groups(SSL_CTX *context, const char *list) {
    return (int)SSL_CTX_set1_groups_list(context, list);
}
static inline int tapline_ctx_add_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}
static inline void tapline_ctx_on_server_name(SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}
static inline void tapline_ctx_set_trust(SSL_CTX *context, X509_STORE *store) {
    SSL_CTX_set1_verify_cert_store(context, store);
}
static inline void tapline_print_name(BIO *bio, const X509_NAME *name) {
    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
}
static inline int tapline_ssl_set_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline void tapline_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void tapline_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void tapline_bio_retry_write(BIO *bio) { BIO_set_retry_write(bio); }

// A parameter keeps the pointer to its name, which a string of Swift's does not outlive.
static inline int tapline_mac_set_key(EVP_MAC_CTX *context, const unsigned char *key, size_t length) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, length),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(context, parameters);
}
static inline EVP_PKEY *tapline_make_ecdsa_key(void) { return EVP_EC_gen("P-256"); }
static inline EVP_PKEY *tapline_make_rsa_key(long bits) { return EVP_RSA_gen((unsigned int)bits); }

// Options whose macros shift a 64-bit one.
static const uint64_t tapline_op_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t tapline_op_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t tapline_op_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t tapline_op_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA;
static const uint64_t tapline_init_options =
    OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS;

#endif
