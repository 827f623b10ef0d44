//! Who belongs to an organization: invitations and roles. Administrators see to members; only owners make and
//! unmake administrators' superiors, and an organization always keeps an owner.

use chrono::TimeDelta;

use crate::{
    Error, Result,
    accounts::{Actor, Role, sign_up::check_email},
    audit::{self, NewAuditEntry, Origin},
    ids::{InvitationId, UserId},
    jobs::{JobKind, Payload},
    ports::{
        Ports,
        jobs::{Follow, Signal},
        mail::Email,
        store::accounts::{Invitation, Member, RoleChange},
    },
    time::Timestamp,
};

/// The invitation and its token, which the inviter may also hand over by other means than mail.
pub async fn invite(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    email: &str,
    role: Role,
) -> Result<(Invitation, String)> {
    let entry = NewAuditEntry::new(ports, actor, origin, "invitations.create");
    let entry = entry.with("role", Some(role.as_str()));
    let invited = try_to_invite(ports, actor, email, role, entry.again(ports)).await;
    audit::settle(ports, entry, invited).await
}

async fn try_to_invite(
    ports: &Ports,
    actor: &Actor,
    email: &str,
    role: Role,
    entry: NewAuditEntry,
) -> Result<(Invitation, String)> {
    actor.require(Role::Admin)?;
    not_above(actor, role)?;
    let email = check_email(email)?;
    let tenant = actor.tenant();
    if let Some((user, _)) = ports.accounts.find_user_by_email(&email).await?
        && !ports.accounts.find_members(tenant, &[user.id]).await?.is_empty()
    {
        return Err(Error::conflict("ALREADY_A_MEMBER", format!("{email} is a member already")));
    }
    let invitation = Invitation {
        id: InvitationId(ports.ids.next()),
        organization_id: actor.organization_id,
        email,
        role,
        invited_by: actor.user_id,
        expires_at: ports.clock.now() + TimeDelta::days(i64::from(ports.account_rules.invitation_days)),
        accepted_at: None,
    };
    let payload = Payload::Invitation { invitation_id: invitation.id };
    let mail = ports.new_job(JobKind::SendEmail, Some(actor.organization_id), payload);
    let follow = Follow { jobs: vec![mail], events: Vec::new() };
    ports.accounts.insert_invitation(tenant, invitation.clone(), follow, entry.on(invitation.id)).await?;
    ports.signals.raise(Signal::Jobs);
    let token = ports.credentials.tokens.invitation_token(invitation.id);
    Ok((invitation, token))
}

/// The mail of an invitation; `None` where it was accepted, replaced or has expired meanwhile.
pub async fn invitation_email(ports: &Ports, id: InvitationId) -> Result<Option<Email>> {
    let Some(invitation) = ports.accounts.find_invitation(id).await? else {
        return Ok(None);
    };
    if invitation.accepted_at.is_some() || invitation.expires_at <= ports.clock.now() {
        return Ok(None);
    }
    let tenant = crate::accounts::Tenant(invitation.organization_id);
    let Some(organization) = ports.accounts.find_organization(tenant).await? else {
        return Ok(None);
    };
    let token = ports.credentials.tokens.invitation_token(id);
    let how = match &ports.account_rules.invitation_url {
        Some(url) => format!("Follow this link to join:\n\n{url}{token}\n"),
        None => format!("Sign up with this invitation token to join:\n\n{token}\n"),
    };
    let name = &organization.name;
    let until = invitation.expires_at.format("%-d %B %Y, %H:%M UTC");
    Ok(Some(Email {
        to: invitation.email,
        subject: format!("You are invited to {name} on Colloquy"),
        text: format!(
            "Hello,\n\nyou are invited to join {name} on Colloquy as {}.\n\n{how}\nThe invitation is good until {until}.\n",
            invitation.role.as_str(),
        ),
        key: format!("invitation-{id}"),
    }))
}

pub async fn set_member_role(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    user_id: UserId,
    role: Role,
) -> Result<Member> {
    let entry = NewAuditEntry::new(ports, actor, origin, "members.setRole").on(user_id);
    let entry = entry.with("role", Some(role.as_str()));
    let changed = try_to_set_role(ports, actor, user_id, role, entry.again(ports)).await;
    audit::settle(ports, entry, changed).await
}

async fn try_to_set_role(
    ports: &Ports,
    actor: &Actor,
    user_id: UserId,
    role: Role,
    entry: NewAuditEntry,
) -> Result<Member> {
    actor.require(Role::Admin)?;
    not_above(actor, role)?;
    match ports.accounts.set_role(actor.tenant(), actor, user_id, role, entry).await? {
        RoleChange::Changed(member) => Ok(member),
        RoleChange::NotAMember => Err(Error::not_found("member", user_id)),
        RoleChange::LastOwner => {
            let message = "an organization needs an owner: make somebody else an owner first";
            Err(Error::conflict("LAST_OWNER", message))
        }
        RoleChange::AboveYou => Err(Error::forbidden("only an owner may change an owner's role")),
    }
}

/// In the order of joining.
pub async fn list_members(
    ports: &Ports,
    actor: &Actor,
    after: Option<(Timestamp, UserId)>,
    limit: usize,
) -> Result<Vec<Member>> {
    ports.accounts.list_members(actor.tenant(), after, limit).await
}

fn not_above(actor: &Actor, role: Role) -> Result<()> {
    if role <= actor.role {
        return Ok(());
    }
    Err(Error::forbidden(format!("you may give at most your own role, {}", actor.role.as_str())))
}
