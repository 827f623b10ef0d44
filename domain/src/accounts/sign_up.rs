//! Signing up: a new organization with its owner, or, with an invitation, a member of an existing one.

use secrecy::SecretString;

use crate::{
    Error, Problem, Result,
    accounts::{
        Actor, Credential, Organization, Role, SignUp, SignedIn, User,
        local::is_reserved,
        passwords::check_strength,
        sign_in::{PreparedSession, prepare_session},
    },
    audit::{self, NewAuditEntry, Origin},
    ids::{AuditEntryId, OrganizationId, UserId},
    ports::{
        Ports,
        store::accounts::{Invitation, NewUser},
    },
};

pub struct SignUpInput {
    pub email: String,
    pub password: SecretString,
    pub name: String,
    /// Needed without an invitation.
    pub organization_name: Option<String>,
    pub invitation_token: Option<String>,
}

pub async fn sign_up(ports: &Ports, origin: &Origin, input: SignUpInput) -> Result<SignedIn> {
    let email = check_email(&input.email)?;
    let name = check_name("name", &input.name)?;
    if is_reserved(&email) {
        let message = "this address is the owner's of a standalone's local organization; take another one";
        return Err(Error::invalid("email", "EMAIL_RESERVED", message));
    }
    match input.invitation_token {
        Some(token) => join(ports, origin, &token, email, name, input.password).await,
        None => found(ports, email, name, input.password, input.organization_name).await,
    }
}

async fn found(
    ports: &Ports,
    email: String,
    name: String,
    password: SecretString,
    organization_name: Option<String>,
) -> Result<SignedIn> {
    if ports.account_rules.sign_up == SignUp::Closed {
        let message = "sign-up is closed on this server; ask an administrator for an invitation";
        return Err(Error::conflict("SIGN_UP_CLOSED", message));
    }
    let organization_name = check_name("organizationName", organization_name.as_deref().unwrap_or_default())?;
    check_strength(&password).map_err(Error::Invalid)?;
    let owner = new_user(ports, email, name, password).await?;
    let organization = Organization {
        id: OrganizationId(ports.ids.next()),
        name: organization_name,
        created_at: ports.clock.now(),
    };
    let prepared = prepare_session(ports, owner.user.id, organization.id);
    let actor = actor_of(&prepared, Role::Owner);
    if !ports.accounts.insert_organization(organization, owner, prepared.session.clone()).await? {
        return Err(email_taken());
    }
    prepared.sign_in(ports, actor)
}

/// What becomes of an invitation is in the log of its organization.
async fn join(
    ports: &Ports,
    origin: &Origin,
    token: &str,
    email: String,
    name: String,
    password: SecretString,
) -> Result<SignedIn> {
    let id = ports.credentials.tokens.check_invitation(token).ok_or_else(gone)?;
    let invitation = ports.accounts.find_invitation(id).await?.ok_or_else(gone)?;
    let entry = NewAuditEntry::of_installation(AuditEntryId(ports.ids.next()), "invitations.accept");
    let entry = NewAuditEntry {
        organization_id: Some(invitation.organization_id),
        origin: origin.clone(),
        ..entry.on(id).with("role", Some(invitation.role.as_str()))
    };
    let joined = accept(ports, &invitation, email, name, password, entry.again(ports)).await;
    audit::settle(ports, entry, joined).await
}

fn gone() -> Error {
    let message = "the invitation is not valid (any more); ask for a new one";
    Error::invalid("invitationToken", "INVITATION_INVALID", message)
}

async fn accept(
    ports: &Ports,
    invitation: &Invitation,
    email: String,
    name: String,
    password: SecretString,
    entry: NewAuditEntry,
) -> Result<SignedIn> {
    let now = ports.clock.now();
    if invitation.accepted_at.is_some() || invitation.expires_at <= now {
        return Err(gone());
    }
    if !invitation.email.eq_ignore_ascii_case(&email) {
        let message = "the invitation is for another e-mail address";
        return Err(Error::invalid("email", "INVITATION_FOR_ANOTHER", message));
    }
    // Who has an account already proves it with its password and keeps it.
    let user = match ports.accounts.find_user_by_email(&email).await? {
        Some((user, hash)) => {
            ports.credentials.throttle.allow(&email.to_lowercase(), now)?;
            if !ports.credentials.passwords.verify(password, Some(hash)).await? {
                let message = "this address has an account already; give its password to join";
                return Err(Error::invalid("password", "WRONG_PASSWORD", message));
            }
            Ok(user.id)
        }
        None => {
            check_strength(&password).map_err(Error::Invalid)?;
            Err(new_user(ports, email, name, password).await?)
        }
    };
    let user_id = user.as_ref().map_or_else(|new| new.user.id, |known| *known);
    let prepared = prepare_session(ports, user_id, invitation.organization_id);
    let entry = NewAuditEntry { user_id: Some(user_id), ..entry };
    let session = prepared.session.clone();
    if !ports.accounts.accept_invitation(invitation.id, user, session, now, entry).await? {
        return Err(gone());
    }
    // The store has the last word on the role: an owner who joins again stays one.
    let actor = ports.accounts.find_session_actor(prepared.session.id).await?.ok_or_else(gone)?;
    prepared.sign_in(ports, actor)
}

async fn new_user(ports: &Ports, email: String, name: String, password: SecretString) -> Result<NewUser> {
    let mut salt = [0; 16];
    salt.copy_from_slice(&ports.ids.secret()[..16]);
    let password_hash = ports.credentials.passwords.hash(password, salt).await?;
    let user = User { id: UserId(ports.ids.next()), email, name, created_at: ports.clock.now() };
    Ok(NewUser { user, password_hash })
}

fn actor_of(prepared: &PreparedSession, role: Role) -> Actor {
    Actor {
        user_id: prepared.session.user_id,
        organization_id: prepared.session.organization_id,
        role,
        credential: Credential::Session(prepared.session.id),
    }
}

fn email_taken() -> Error {
    Error::Conflict(
        Problem::new("EMAIL_TAKEN", "this e-mail address has an account already; log in instead").at("email"),
    )
}

/// Trimmed, if it could be an address.
pub(crate) fn check_email(email: &str) -> Result<String> {
    let email = email.trim();
    let parts = email.split_once('@');
    let plausible = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && parts.is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.')
        });
    if plausible {
        return Ok(email.to_owned());
    }
    Err(Error::invalid(
        "email",
        "INVALID_EMAIL",
        "this is not an e-mail address; it should look like ada@example.com",
    ))
}

/// Trimmed, if it has 1 to 200 characters.
pub(crate) fn check_name(field: &'static str, name: &str) -> Result<String> {
    let name = name.trim();
    let chars = name.chars().count();
    if (1..=200).contains(&chars) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    let message = format!("{field} needs 1 to 200 characters and no line breaks; it has {chars}");
    Err(Error::invalid(field, "INVALID_NAME", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_are_refused() {
        assert_eq!(check_email(" ada@example.com ").unwrap(), "ada@example.com");
        for bad in ["", "ada", "@example.com", "ada@", "a da@example.com", "a@b@c", "ada@.com"] {
            assert_eq!(check_email(bad).unwrap_err().code(), "INVALID_EMAIL", "{bad:?}");
        }
    }

    #[test]
    fn names_have_a_length_and_no_line_breaks() {
        assert_eq!(check_name("name", " Ada ").unwrap(), "Ada");
        for bad in ["", "  ", "a\nb", &"x".repeat(201)] {
            assert_eq!(check_name("name", bad).unwrap_err().code(), "INVALID_NAME");
        }
    }
}
