/* aadsts.c - Entra's error numbers as a sentence that says what to mend. Only the numbers a client
 * of the four grants used here can meet; the protocol's `error` word stays beside it in the
 * message. */
#include "token_answer.h"

struct advice {
    uint32_t code;
    bool transient;
    const char *text;
};

#define REGISTRATION "the app registration in Entra"

static const struct advice advices[] = {
    {50001, false, "the resource is unknown in this tenant: check cloud and scope"},
    {50005, false, "a conditional access policy of the tenant forbids it: ask its administrator"},
    {50012, false,
     "the assertion was refused: is this the certificate of this application, "
     "and its key?"},
    {53003, false, "a conditional access policy of the tenant forbids it: ask its administrator"},
    {70011, false, "the scope is malformed: it must end in /.default"},
    {70021, true,
     "no federated credential matches the token's issuer, subject and audience: "
     "compare them (a new one takes minutes to spread)"},
    {90002, false,
     "the tenant does not exist in this cloud: check tenant_id, and cloud or "
     "authority_host"},
    {90006, true, "Entra has a passing fault"},
    {90012, true, "Entra timed out"},
    {90024, true, "Entra has a passing fault"},
    {90033, true, "Entra is briefly unavailable"},
    {90061, true,
     "Entra can't reach the issuer of the federated token: is its OIDC address public?"},
    {500011, false, "the resource is unknown in this tenant: check cloud and scope"},
    {530032, false, "a security policy of the tenant forbids it: ask its administrator"},
    {700016, false, "the application is not in this tenant: check client_id and tenant_id"},
    {700024, true,
     "the assertion is outside its time: check the clock of this machine, or the "
     "federated token is old"},
    {700027, false,
     "the certificate is not registered with the application: upload its public part to " REGISTRATION},
    {700211, true,
     "no federated credential has the token's issuer: compare them, the final slash too"},
    {700212, true,
     "no federated credential has the token's audience: api://AzureADTokenExchange is "
     "expected"},
    {700213, true,
     "no federated credential has the token's subject: compare namespace and service "
     "account"},
    {1002012, false, "the scope is not usable without a user: it must end in /.default"},
    {7000112, false, "the application is disabled: enable it in Entra"},
    {7000215, false, "the client secret is wrong: give the secret's value, not its id"},
    {7000218, false, "no credential arrived: give client_secret, a certificate or a token file"},
    {7000222, false, "the client secret has expired: make a new one in " REGISTRATION},
};

const char *aadsts_advice(uint32_t code, bool *transient)
{
    ASSERT(transient != NULL);
    *transient = false;
    for (size_t i = 0; i < ARRAY_COUNT(advices); i++) {
        if (advices[i].code == code) {
            *transient = advices[i].transient;
            return advices[i].text;
        }
    }
    return NULL;
}
