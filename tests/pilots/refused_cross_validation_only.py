# Refused: the model is judged by cross_val_score alone; nothing was held out and no prediction was made.

# %%
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score

# %%
df = pd.read_csv('loan_train.csv')
df = df.dropna()
df.shape

# %%
df['Loan_Status'] = df['Loan_Status'].map({'Y': 1, 'N': 0})
df = df.drop('Loan_ID', axis=1)
df = pd.get_dummies(df)

# %%
X = df.drop('Loan_Status', axis=1)
y = df['Loan_Status']

# %%
kfold = KFold(n_splits=5, shuffle=True, random_state=0)

# %%
for model in [LogisticRegression(solver='liblinear'), RandomForestClassifier(n_estimators=20, random_state=0)]:
    scores = cross_val_score(model, X, y, cv=kfold)
    print(type(model).__name__, scores.mean(), scores.std())
